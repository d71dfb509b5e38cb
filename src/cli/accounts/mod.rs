//! Commands over the admin API: users, groups, service accounts, tokens, grants, the rules, the audit trail. Each is a
//! request or two, and a table or JSON of the answer.

pub mod acl;
pub mod api;
pub mod events;
pub mod grant;
pub mod group;
pub mod passwd;
pub mod password;
pub mod service;
pub mod token;
pub mod user;
