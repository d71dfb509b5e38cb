//! docker_auth's `auth_config.yml`: users, LDAP, rules, and everything that has no counterpart.
//!
//! The rules are carried in their order and in their own language; what docker_auth silently ignored is refused.

pub mod convert;
pub mod elsewhere;
pub mod ldap;
pub mod pattern;
pub mod placeholders;
pub mod regexes;
pub mod rule;
pub mod rules;
pub mod server;
pub mod users;
