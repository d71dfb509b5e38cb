//! Uploads on their way into a bucket.

pub mod store;
