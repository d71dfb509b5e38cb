//! Mounting: a repository comes to hold a blob that another one holds. Moves no bytes.

use crate::metadata::intents::{Intent, IntentId};
use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::registry::error::Result;
use crate::registry::parts::Registry;
use crate::registry::{recover, turns};
use crate::storage::links::Link;

/// Most repositories that are told to hold a blob.
pub const HOLDERS_MAX: usize = 16;

/// Mounts a blob from a repository. False: it is not there to be mounted, and the client has to upload it
/// (distribution-spec, "Mounting a blob from another repository"). Whether the caller may read `from` was asked before.
pub async fn mount(
    registry: &Registry,
    repository: &Repository,
    digest: &Digest,
    from: &Repository,
) -> Result<bool> {
    let _change = registry.read_only.change()?;
    let Some(size) = registry.metadata.blobs.size(from, digest).await? else { return Ok(false) };
    let id = turns::begin(registry, &intent(repository, digest)).await?;
    hold(registry, repository, digest, size, id).await?;
    Ok(true)
}

/// Some repositories that hold a blob, at most `count_max` and never more than `HOLDERS_MAX`: for a client that names
/// none to mount it from. Which of them the caller may know of is for the door to tell: that a blob can be mounted
/// from any of all would tell strangers what others hold.
pub async fn holders(registry: &Registry, digest: &Digest, count_max: usize) -> Result<Vec<Repository>> {
    let holders = registry.metadata.blobs.holders(digest, None, count_max.min(HOLDERS_MAX)).await?;
    Ok(holders.into_iter().map(|(repository, _)| repository).collect())
}

/// The intent to hold one blob.
pub fn intent(repository: &Repository, digest: &Digest) -> Intent {
    Intent {
        repository: repository.clone(),
        blobs: vec![*digest],
        manifests: vec![],
        tags: vec![],
        removing: false,
    }
}

/// Names, then facts, of a blob whose bytes are in storage and whose intent stands.
pub async fn hold(
    registry: &Registry,
    repository: &Repository,
    digest: &Digest,
    size: u64,
    id: IntentId,
) -> Result<()> {
    let adding = registry.locks.adding(repository, &[]).await;
    let held = async {
        turns::stands(registry, id)?;
        registry.storage.links.record(repository, &[Link::Layer(*digest)]).await?;
        registry.metadata.blobs.link(repository, digest, size, Some(id)).await?;
        Ok(())
    }
    .await;
    drop(adding);
    recover::after(registry, id, &intent(repository, digest), held).await
}
