//! Passwords: what is stored of them, how one is checked against that, and what may be chosen as one.
//!
//! Hashing is dear by design, so all of it goes through one `hasher` that bounds processor, memory and waiting.
//! This folder knows no account and no source of users.

pub mod config;
pub mod flights;
pub mod hash;
pub mod hasher;
pub mod remembered;
pub mod rules;
pub mod verifier;
