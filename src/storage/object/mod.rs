//! Storage in a bucket of an object store: S3 and what speaks it, Google Cloud Storage, Azure Blob Storage. The layout
//! is that of the filesystem, object for file. Knows no rules and no metadata.

pub mod answer;
#[cfg(feature = "azure")]
pub mod azure;
pub mod blobs;
pub mod bucket;
pub mod claim;
#[cfg(feature = "gcs")]
pub mod gcs;
pub mod links;
pub mod listing;
pub mod objects;
pub mod part_copies;
pub mod patience;
pub mod read;
pub mod record_changes;
pub mod records;
pub mod repositories;
pub mod s3;
pub mod selftest;
#[cfg(test)]
mod tests;
pub mod uploads;
pub mod walk;
