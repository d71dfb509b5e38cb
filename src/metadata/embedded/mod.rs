//! Metadata in one folder, on an ordered key engine: sled or redb, behind the small seam of `engine.rs`.
//!
//! All writes go through one thread, which commits whatever has queued as one atomic batch and makes it durable
//! with one sync (`committer.rs`). The other files are written once for both engines: `keys.rs` and `rows.rs`
//! spell the tables, the files named like the traits hold their rules. Knows no storage and no HTTP.

pub mod accounts;
pub mod audit;
pub mod blobs;
pub mod committer;
pub mod completeness;
pub mod counts;
pub mod database;
pub mod engine;
pub mod folder;
pub mod intents;
pub mod keys;
pub mod leases;
pub mod left_over;
pub mod long;
pub mod manifests;
pub mod open_uploads;
pub mod redb;
pub mod rows;
pub mod signing_keys;
pub mod sled;
#[cfg(test)]
mod tests;
pub mod transaction;
pub mod uploads;
