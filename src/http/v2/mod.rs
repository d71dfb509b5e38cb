//! The OCI distribution API: one file for each kind of object, `route.rs` for what a URL means, `serve.rs`
//! for the way of a request through them.

pub mod answer;
pub mod blobs;
pub mod listing;
pub mod manifests;
pub mod needs;
pub mod query;
pub mod route;
pub mod serve;
pub mod uploads;
