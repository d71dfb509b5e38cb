//! Storage in a folder of a disk: blobs and link files exactly as registry:2 lays them out.
//!
//! What needs to outlive a power cut passes through one thread (`publisher.rs`), in groups that share the
//! cost of a sync. This room knows no rules and no metadata; two servers on one folder are kept apart above.

pub mod blobs;
pub mod claim;
pub mod files;
pub mod hashes;
pub mod links;
pub mod pool;
pub mod publisher;
pub mod read;
pub mod record;
pub mod record_changes;
pub mod record_files;
pub mod records;
pub mod root;
pub mod seal;
pub mod space;
pub mod staged;
pub mod staging;
pub mod store;
pub mod sync;
#[cfg(test)]
mod tests;
pub mod walk;
pub mod writer;
