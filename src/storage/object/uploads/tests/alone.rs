//! What the tests of uploads stand on: uploads as one process has them, on a bucket in memory that others share.

use crate::oci::digest::Digest;
use crate::oci::upload::UploadId;
use crate::storage::blobs::{Blob, Blobs, Sealed, Staged, Staging};
use crate::storage::error::Result;
use crate::storage::layout;
use crate::storage::object::bucket::{Bucket, failed};
use crate::storage::object::uploads::fake::Fake;
use crate::storage::object::uploads::store::{Settings, Uploads};
use crate::stream::{self, ByteStream};
use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;

pub const MIB: u64 = 1 << 20;

/// Uploads, and as much of the trait around them as the contract asks for.
pub struct Alone(pub Uploads);

#[async_trait::async_trait]
impl Blobs for Alone {
    async fn stat(&self, digest: &Digest) -> Result<Option<u64>> {
        let place = layout::blob(digest);
        match self.0.objects.bucket.objects.head(&self.0.objects.bucket.at(&place)?).await {
            Ok(there) => Ok(Some(there.size)),
            Err(error) => failed(&place, error).map_or(Ok(None), Err),
        }
    }

    async fn read(&self, digest: &Digest, offset: u64, length: u64) -> Result<Option<Blob>> {
        let Some(size) = self.stat(digest).await? else { return Ok(None) };
        let end = offset.saturating_add(length).min(size);
        if offset >= end {
            return Ok(Some(Blob { size, bytes: stream::empty() }));
        }
        let path = self.0.objects.bucket.at(&layout::blob(digest))?;
        let read = self.0.objects.bucket.objects.get_range(&path, offset..end).await.unwrap();
        Ok(Some(Blob { size, bytes: stream::once(read) }))
    }

    async fn stage(&self, staging: Staging, body: ByteStream) -> Result<Staged> {
        self.0.stage(staging, body).await
    }

    async fn seal(&self, staging: Staging, digest: &Digest) -> Result<Sealed> {
        self.0.seal(staging, digest).await
    }

    async fn put(&self, _: &Digest, _: Bytes) -> Result<()> {
        unreachable!()
    }

    async fn discard(&self, upload: UploadId) -> Result<()> {
        self.0.discard(upload).await
    }

    async fn staged_before(&self, unix_secs: u64) -> Result<Vec<UploadId>> {
        self.0.staged_before(unix_secs).await
    }
}

pub fn settings() -> Settings {
    Settings { part_bytes: 5 * MIB, buffer_bytes: 40 * MIB, ..Settings::default() }
}

pub fn process(fake: &Arc<Fake>, settings: Settings) -> Alone {
    let bucket = Bucket {
        objects: Arc::clone(fake) as Arc<dyn ObjectStore>,
        parts: Arc::clone(fake) as Arc<dyn object_store::multipart::MultipartStore>,
        part_copies: Some(Arc::clone(fake) as _),
        pages: None,
        signer: None,
        prefix: "pre/fix".into(),
    };
    Alone(Uploads::new(bucket, settings))
}

/// What is left below the staging folder, and of multipart uploads.
pub async fn left(fake: &Fake) -> (Vec<String>, usize) {
    let staged = |path: &String| path.contains(layout::STAGING);
    (fake.paths().await.into_iter().filter(staged).collect(), fake.open_count())
}
