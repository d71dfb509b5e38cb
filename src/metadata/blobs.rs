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

    /// Which of these blobs, and of these manifests, the repository does not hold: each once, in their order.
    async fn absent(
        &self,
        repository: &Repository,
        blobs: &[Digest],
        manifests: &[Digest],
    ) -> Result<Vec<Digest>>;

    /// The repository holds the blob from now on; fulfils the intent, if there is one (`Error::Overtaken` if that is not
    /// this process's any more).
    async fn link(
        &self,
        repository: &Repository,
        digest: &Digest,
        size: u64,
        fulfilled: Option<IntentId>,
    ) -> Result<()>;

    /// The repository holds the blob no longer. False: it did not before. With `under`, only if that intent is still
    /// this process's (`Error::Overtaken`); it goes on standing.
    async fn unlink(&self, repository: &Repository, digest: &Digest, under: Option<IntentId>)
    -> Result<bool>;

    /// At most `count` repositories that hold the blob, in byte order, and its size in each; only those whose names
    /// sort after `after`, if that is given.
    async fn holders(
        &self,
        digest: &Digest,
        after: Option<&Repository>,
        count: usize,
    ) -> Result<Vec<(Repository, u64)>>;
}
