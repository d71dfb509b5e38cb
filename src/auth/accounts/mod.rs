//! Our own accounts, as documents, and the rules of changing them: users, groups, service accounts, tokens, grants.
//!
//! Documents stand in storage and, for fast answers, in the metadata; `commit.rs` is the only file that changes both.
//! Rules are free functions in files named for their object. Whoever calls one that changes something lets it run to
//! its end, also when the client goes away. Knows no HTTP, no password and no hash function of passwords.

#![allow(clippy::similar_names)] // `self` and `shelf`

pub mod alone;
pub mod commit;
pub mod directory;
pub mod document;
pub mod follow;
pub mod form;
pub mod freshness;
pub mod grant;
pub mod grants;
pub mod group;
pub mod groups;
pub mod identity;
pub mod index;
pub mod listing;
pub mod load;
pub mod locks;
pub mod membership;
pub mod memory;
pub mod mint;
pub mod name;
pub mod names;
pub mod owner;
pub mod publish;
pub mod random;
pub mod removal;
pub mod service;
pub mod services;
pub mod sweep;
pub mod token;
pub mod token_text;
pub mod tokens;
pub mod user;
pub mod users;
pub mod uses;

#[cfg(test)]
pub mod fakes;
#[cfg(test)]
mod tests;
