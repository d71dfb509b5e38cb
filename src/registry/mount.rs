//! Mounting: a repository comes to hold a blob that another one holds. Moves no bytes.

use crate::metadata::intents::{Intent, IntentId};
use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::registry::error::Result;
use crate::registry::parts::Registry;
use crate::registry::recover;
use crate::storage::links::Link;

/// Mounts a blob from a repository, or from any that holds it. False: it is not there to be mounted, and the
/// client has to upload it (distribution-spec, "Mounting a blob from another repository").
pub async fn mount(
    registry: &Registry,
    repository: &Repository,
    digest: &Digest,
    from: Option<&Repository>,
) -> Result<bool> {
    let size = match from {
        Some(from) => registry.metadata.blobs.size(from, digest).await?,
        None => registry.metadata.blobs.holder(digest).await?.map(|(_, size)| size),
    };
    let Some(size) = size else { return Ok(false) };
    let id = recover::begin(registry, &intent(repository, digest)).await?;
    hold(registry, repository, digest, size, id).await?;
    Ok(true)
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
        registry.storage.links.record(repository, &[Link::Layer(*digest)]).await?;
        registry.metadata.blobs.link(repository, digest, size, Some(id)).await?;
        Ok(())
    }
    .await;
    drop(adding);
    recover::after(registry, id, &intent(repository, digest), held).await
}
