//! Storage in a bucket of an object store: S3 and what speaks it, Google Cloud Storage, Azure Blob Storage. The layout
//! is that of the filesystem, object for file. Knows no rules and no metadata.

pub mod bucket;
pub mod uploads;
