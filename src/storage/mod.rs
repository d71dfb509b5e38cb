//! The truth: bytes by digest, and the link files that say which repository holds what under which name.
//!
//! The layout is exactly that of registry:2 (`layout.rs`), so that either can start on what the other left.
//! This room knows no rules, no metadata and no HTTP.

pub mod blobs;
pub mod claim;
pub mod config;
#[cfg(test)]
mod contract;
pub mod error;
pub mod filesystem;
pub mod layout;
pub mod links;
pub mod object;
pub mod open;
pub mod record_text;
pub mod records;
#[cfg(test)]
mod records_contract;
