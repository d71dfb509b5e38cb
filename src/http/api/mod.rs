//! The admin API below `/api/v1`, which the command line and the page use: accounts, grants, repositories, the audit
//! trail. One table (`table.rs`) says which requests there are and what each needs; the OpenAPI document is made from
//! the same table. Nothing is decided here.

pub mod accounts;
pub mod call;
pub mod events;
pub mod grants;
pub mod groups;
pub mod me;
pub mod openapi;
pub mod read_only;
pub mod repositories;
pub mod serve;
pub mod services;
pub mod table;
pub mod users;
