//! The rules of the accounts, over storage and metadata in memory.

mod crash;
mod draw;
mod grants;
mod groups;
mod identity;
mod others;
mod secrets;
mod services;
mod tokens;
mod users;
