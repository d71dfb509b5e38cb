//! The trait of bytes by digest, in a bucket.

use crate::oci::digest::Digest;
use crate::oci::upload::UploadId;
use crate::storage::blobs::{Blob, Blobs, Sealed, Staged, Staging};
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::object::answer;
use crate::storage::object::bucket::in_time;
use crate::storage::object::objects::Objects;
use crate::storage::object::read;
use crate::stream::ByteStream;
use bytes::Bytes;
use std::time::Duration;

/// How long a signed URL holds. A client follows it at once; a slow one has begun by then.
const SIGNED: Duration = Duration::from_mins(20);

#[async_trait::async_trait]
impl Blobs for Objects {
    async fn stat(&self, digest: &Digest) -> Result<Option<u64>> {
        in_time("a blob", read::size(&self.bucket, &layout::blob(digest))).await
    }

    async fn read(&self, digest: &Digest, offset: u64, length: u64) -> Result<Option<Blob>> {
        let path = layout::blob(digest);
        in_time(&path, read::read(&self.bucket, &path, offset, length)).await
    }

    async fn signed_url(&self, digest: &Digest) -> Result<Option<String>> {
        let Some(signer) = &self.bucket.signer else { return Ok(None) };
        let path = layout::blob(digest);
        let signing = async {
            let signed = signer.signed_url(http::Method::GET, &self.bucket.at(&path)?, SIGNED).await;
            signed.map_err(|error| {
                let absent = || Error::at(&path, std::io::Error::other("its URL cannot be signed"));
                answer::meaning(&path, &error).unwrap_or_else(absent)
            })
        };
        Ok(Some(in_time(&path, signing).await?.to_string()))
    }

    async fn stage(&self, staging: Staging, body: ByteStream) -> Result<Staged> {
        self.uploads.stage(staging, body).await
    }

    async fn seal(&self, staging: Staging, digest: &Digest) -> Result<Sealed> {
        self.uploads.seal(staging, digest).await
    }

    /// One PUT: a bucket shows an object whole or not at all.
    async fn put(&self, digest: &Digest, bytes: Bytes) -> Result<()> {
        self.bucket.put(&layout::blob(digest), bytes).await
    }

    async fn discard(&self, upload: UploadId) -> Result<()> {
        self.uploads.discard(upload).await
    }

    async fn staged_before(&self, unix_secs: u64) -> Result<Vec<UploadId>> {
        self.uploads.staged_before(unix_secs).await
    }
}
