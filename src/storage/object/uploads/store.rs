//! Stands here until uploads into a bucket do: every call fails.

use crate::oci::digest::Digest;
use crate::oci::upload::UploadId;
use crate::storage::blobs::{Sealed, Staged, Staging};
use crate::storage::error::{Error, Result};
use crate::storage::object::bucket::Bucket;
use crate::stream::ByteStream;

/// Uploads.
pub struct Uploads;

/// Their settings.
pub struct Settings {
    /// Size of a part in bytes.
    pub part_bytes: u64,
    /// Memory for all parts in flight, in bytes.
    pub buffer_bytes: u64,
    /// Bytes that are copied at once.
    pub copy_bytes_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { part_bytes: 12 << 20, buffer_bytes: 96 << 20, copy_bytes_max: 5 << 30 }
    }
}

#[allow(clippy::unused_async, clippy::needless_pass_by_value, missing_docs)]
impl Uploads {
    pub fn new(_bucket: Bucket, _settings: Settings) -> Self {
        Self
    }

    pub async fn stage(&self, _staging: Staging, _body: ByteStream) -> Result<Staged> {
        Err(none())
    }

    pub async fn seal(&self, _staging: Staging, _digest: &Digest) -> Result<Sealed> {
        Err(none())
    }

    pub async fn discard(&self, _upload: UploadId) -> Result<()> {
        Err(none())
    }

    pub async fn staged_before(&self, _unix_secs: u64) -> Result<Vec<UploadId>> {
        Err(none())
    }
}

fn none() -> Error {
    Error::at("an upload", std::io::Error::other("uploads into a bucket are not built yet"))
}
