//! The facts, indexed for fast answers: manifests, tags, referrers, which repository holds which blob, open
//! uploads, and intents.
//!
//! Everything here can be made again from storage, save what may be lost without harm. One method is one
//! transaction, seen by all when it returns. A power cut may take the last of them, never one without those
//! after it; what is lost so is told by an intent, which is durable when it begins (`intents.rs`), and made
//! again at the next start. Knows no rules, no HTTP, no storage.

pub mod accounts;
#[cfg(test)]
mod accounts_contract;
pub mod audit;
pub mod blobs;
pub mod completeness;
#[cfg(test)]
mod completeness_contract;
pub mod config;
#[cfg(test)]
mod contract;
pub mod embedded;
pub mod error;
pub mod holds;
pub mod intents;
pub mod leases;
#[cfg(test)]
mod listing_contract;
pub mod manifests;
pub mod news;
pub mod open;
pub mod postgres;
pub mod signing_keys;
pub mod uploads;
#[cfg(test)]
mod uploads_contract;
