//! The rules of a registry, as free functions in files named for their object.
//!
//! They speak no HTTP and know no rights: the web door, the clock and the command line call the same ones.
//! Adding goes bytes, then names, then facts; removing goes facts, then names. An intent stands in the
//! metadata while names and facts may differ (`recover.rs` says why).

pub mod config;
pub mod delete;
pub mod dependencies;
pub mod derive;
pub mod error;
pub mod heard;
pub mod listing;
pub mod locks;
pub mod manifests;
pub mod mount;
pub mod parts;
pub mod pull;
pub mod readiness;
pub mod rebuild;
pub mod recover;
pub mod referrer;
pub mod repair;
pub mod sessions;
pub mod settle;
pub mod stale;
pub mod summary;
#[cfg(test)]
mod tests;
pub mod transfer;
pub mod turns;
pub mod unsettled;
pub mod uploads;
