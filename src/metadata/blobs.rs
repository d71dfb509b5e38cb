//! Which repository holds which blob.

use crate::metadata::error::Result;
use crate::metadata::intents::IntentId;
use crate::oci::digest::Digest;
use crate::oci::repository::Repository;

/// The facts about blobs.
#[async_trait::async_trait]
pub trait Blobs: Send + Sync {
    /// Size in bytes of a blob that the repository holds.
    async fn size(&self, repository: &Repository, digest: &Digest) -> Result<Option<u64>>;

    /// The repository holds the blob from now on; fulfils the intent, if there is one.
    async fn link(
        &self,
        repository: &Repository,
        digest: &Digest,
        size: u64,
        fulfilled: Option<IntentId>,
    ) -> Result<()>;

    /// The repository holds the blob no longer. False: it did not before.
    async fn unlink(&self, repository: &Repository, digest: &Digest) -> Result<bool>;

    /// Some repository that holds the blob, and its size.
    async fn holder(&self, digest: &Digest) -> Result<Option<(Repository, u64)>>;
}
