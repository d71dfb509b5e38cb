//! LDAP as a source of users: bind as ourselves, search the user, bind as the user.
//!
//! `config` says where and how, `filter` and `entry` turn names into questions and answers into accounts and do no
//! I/O, `session` is one connection, `source` the source itself.

pub mod config;
pub mod entry;
pub mod filter;
pub mod session;
pub mod source;

#[cfg(test)]
pub mod fake;
