//! The trait of bytes by digest, on a filesystem.

use crate::oci::digest::Digest;
use crate::oci::upload::UploadId;
use crate::storage::blobs::{Blob, Blobs, Sealed, Staged, Staging};
use crate::storage::error::Result;
use crate::storage::filesystem::read;
use crate::storage::filesystem::seal;
use crate::storage::filesystem::staging;
use crate::storage::filesystem::store::Filesystem;
use crate::stream::ByteStream;
use bytes::Bytes;

#[async_trait::async_trait]
impl Blobs for Filesystem {
    async fn stat(&self, digest: &Digest) -> Result<Option<u64>> {
        read::stat(self, digest).await
    }

    async fn read(&self, digest: &Digest, offset: u64, length: u64) -> Result<Option<Blob>> {
        read::read(self, digest, offset, length).await
    }

    async fn stage(&self, staging: Staging, body: ByteStream) -> Result<Staged> {
        staging::stage(self, staging, body).await
    }

    async fn seal(&self, staging: Staging, digest: &Digest) -> Result<Sealed> {
        seal::seal(self, staging, digest).await
    }

    async fn put(&self, digest: &Digest, bytes: Bytes) -> Result<()> {
        seal::put(self, digest, bytes).await
    }

    async fn discard(&self, upload: UploadId) -> Result<()> {
        staging::discard(self, upload).await
    }

    async fn staged_before(&self, unix_secs: u64) -> Result<Vec<UploadId>> {
        staging::before(self, unix_secs).await
    }
}
