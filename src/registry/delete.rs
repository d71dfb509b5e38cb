//! Removing tags, manifests and blobs from a repository (distribution-spec, "Content Management"): facts,
//! then names. Bytes stay: only a collector may remove them. The turn among processes comes before the lock of this one:
//! whoever waits for another process keeps nobody of this one waiting.

use crate::metadata::intents::{Intent, IntentId};
use crate::oci::digest::Digest;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::registry::{mount, pull, recover, turns};
use crate::storage::links::{Found, Link, Name};

/// Removes a tag and nothing else.
pub async fn tag(registry: &Registry, repository: &Repository, tag: &Tag) -> Result<()> {
    let _change = registry.read_only.change()?;
    pull::resolve(registry, repository, &Reference::Tag(tag.clone())).await?;
    let intent = Intent {
        repository: repository.clone(),
        blobs: vec![],
        manifests: vec![],
        tags: vec![tag.clone()],
        removing: true,
    };
    let id = turns::begin(registry, &intent).await?;
    let removing = registry.locks.removing(repository).await;
    let removed = async {
        registry.metadata.manifests.untag(repository, tag, Some(id)).await?;
        forget(registry, repository, &[Name::Tag(tag.clone())], id).await
    }
    .await;
    drop(removing);
    recover::after(registry, id, &intent, removed).await
}

/// Removes a manifest and the tags that mean it.
pub async fn manifest(registry: &Registry, repository: &Repository, digest: &Digest) -> Result<()> {
    let _change = registry.read_only.change()?;
    pull::resolve(registry, repository, &Reference::Digest(*digest)).await?;
    let mut intent = Intent {
        repository: repository.clone(),
        blobs: vec![],
        manifests: vec![*digest],
        tags: vec![],
        removing: true,
    };
    let id = turns::begin(registry, &intent).await?;
    let removing = registry.locks.removing(repository).await;
    let removed = async {
        let tags = registry.metadata.manifests.forget(repository, digest, Some(id)).await?;
        // Known only now; whoever makes names and facts agree after a failure needs them too.
        intent.tags = tags.unwrap_or_default();
        let mut names: Vec<Name> = intent.tags.iter().cloned().map(Name::Tag).collect();
        names.push(Name::Revision(*digest));
        forget(registry, repository, &names, id).await
    }
    .await;
    drop(removing);
    recover::after(registry, id, &intent, removed).await
}

/// Removes a repository's hold on a blob. Manifests that name it stay, and name something absent.
pub async fn blob(registry: &Registry, repository: &Repository, digest: &Digest) -> Result<()> {
    let _change = registry.read_only.change()?;
    if registry.metadata.blobs.size(repository, digest).await?.is_none() {
        return Err(Error::BlobUnknown(repository.clone(), *digest));
    }
    let intent = Intent { removing: true, ..mount::intent(repository, digest) };
    let id = turns::begin(registry, &intent).await?;
    let removing = registry.locks.removing(repository).await;
    let removed = async {
        registry.metadata.blobs.unlink(repository, digest, Some(id)).await?;
        forget(registry, repository, &[Name::Layer(*digest)], id).await
    }
    .await;
    drop(removing);
    recover::after(registry, id, &intent, removed).await
}

/// Removes all that a repository holds: manifests with their tags, then its holds on blobs. What somebody pushes
/// meanwhile stays.
pub async fn repository(registry: &Registry, repository: &Repository) -> Result<()> {
    let (mut manifests, mut blobs) = (Vec::new(), Vec::new());
    let mut visit = |found| match found {
        Found::Link { link: Link::Revision(digest), .. } => manifests.push(digest),
        Found::Link { link: Link::Layer(digest), .. } => blobs.push(digest),
        _ => {}
    };
    registry.storage.links.walk(repository, &mut visit).await?;
    let mut held = 0;
    for digest in &manifests {
        held += gone(manifest(registry, repository, digest).await)?;
    }
    for digest in &blobs {
        held += gone(blob(registry, repository, digest).await)?;
    }
    if held == 0 { Err(Error::RepositoryUnknown(repository.clone())) } else { Ok(()) }
}

/// Whether something was removed; that it was gone already is no error.
fn gone(removed: Result<()>) -> Result<u64> {
    match removed {
        Ok(()) => Ok(1),
        Err(Error::ManifestUnknown(..) | Error::BlobUnknown(..)) => Ok(0),
        Err(error) => Err(error),
    }
}

async fn forget(registry: &Registry, repository: &Repository, names: &[Name], id: IntentId) -> Result<()> {
    turns::stands(registry, id)?;
    registry.storage.links.forget(repository, names).await?;
    turns::stands(registry, id)?;
    registry.metadata.intents.end(id).await?;
    Ok(())
}
