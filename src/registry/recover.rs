//! Making names and facts agree again where an operation was cut short: by a crash, or by a fault between
//! two of its steps.
//!
//! Storage is the truth. For each name of an intent: what storage holds whole becomes a fact; what it holds
//! torn, or without bytes, goes away there too. Nothing of that was ever acknowledged, so either is right;
//! what matters is that both places say the same. Costs as much as was under way, not as much as is stored.

use crate::metadata::intents::{Intent, IntentId};
use crate::oci::digest::Digest;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::registry::derive;
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::storage::links::{Found, Link, Name};
use futures_util::{StreamExt, TryStreamExt, stream};

/// Settles all that the last run left under way. Answers how much that was.
pub async fn all(registry: &Registry) -> Result<usize> {
    const AT_ONCE: usize = 1024;
    const SIDE_BY_SIDE: usize = 32;
    let mut settled = 0;
    loop {
        let pending = registry.metadata.intents.pending(AT_ONCE).await?;
        if pending.is_empty() {
            return Ok(settled);
        }
        settled += pending.len();
        stream::iter(pending)
            .map(Ok)
            .try_for_each_concurrent(SIDE_BY_SIDE, |(id, intent)| async move {
                settle(registry, &intent).await?;
                Ok::<(), Error>(registry.metadata.intents.end(id).await?)
            })
            .await?;
    }
}

/// Hands on the answer of an operation; if it failed, its names and facts are made to agree first. Where even
/// that fails the intent stays, for the next start.
pub async fn after<T>(registry: &Registry, id: IntentId, intent: &Intent, answer: Result<T>) -> Result<T> {
    if answer.is_err() {
        let settled = async {
            settle(registry, intent).await?;
            registry.metadata.intents.end(id).await?;
            Ok::<(), Error>(())
        };
        if let Err(error) = settled.await {
            tracing::error!(repository = %intent.repository, %error, "names and facts may differ until the next start");
        }
    }
    answer
}

async fn settle(registry: &Registry, intent: &Intent) -> Result<()> {
    let repository = &intent.repository;
    let _removing = registry.locks.removing(repository).await;
    for digest in &intent.blobs {
        blob(registry, repository, digest).await?;
    }
    for digest in &intent.manifests {
        manifest(registry, repository, digest).await?;
        if intent.tags.is_empty() {
            // A removal: its tags are known only to storage by now.
            for tag in tags_of(registry, repository, digest).await? {
                self::tag(registry, repository, &tag).await?;
            }
        }
    }
    for tag in &intent.tags {
        self::tag(registry, repository, tag).await?;
    }
    Ok(())
}

async fn blob(registry: &Registry, repository: &Repository, digest: &Digest) -> Result<()> {
    let name = Name::Layer(*digest);
    let linked = registry.storage.links.resolve(repository, &name).await? == Some(*digest);
    match registry.storage.blobs.stat(digest).await? {
        Some(size) if linked => registry.metadata.blobs.link(repository, digest, size, None).await?,
        _ => {
            registry.metadata.blobs.unlink(repository, digest).await?;
            registry.storage.links.forget(repository, &[name]).await?;
        }
    }
    Ok(())
}

async fn manifest(registry: &Registry, repository: &Repository, digest: &Digest) -> Result<()> {
    let name = Name::Revision(*digest);
    if registry.storage.links.resolve(repository, &name).await? == Some(*digest)
        && let Ok(facts) = derive::stored(registry, digest, vec![], registry.clock.unix_secs()).await?
    {
        registry.metadata.manifests.put(repository, facts, false, None).await?;
        return Ok(());
    }
    registry.metadata.manifests.forget(repository, digest).await?;
    registry.storage.links.forget(repository, &[name]).await?;
    Ok(())
}

/// After the manifests: a tag is a fact only if its manifest is.
async fn tag(registry: &Registry, repository: &Repository, tag: &Tag) -> Result<()> {
    let name = Name::Tag(tag.clone());
    let meant = registry.storage.links.resolve(repository, &name).await?;
    if let Some(digest) = meant
        && registry.metadata.manifests.resolve(repository, &Reference::Digest(digest)).await?.is_some()
        && let Ok(facts) =
            derive::stored(registry, &digest, vec![tag.clone()], registry.clock.unix_secs()).await?
    {
        registry.metadata.manifests.put(repository, facts, false, None).await?;
        return Ok(());
    }
    registry.metadata.manifests.untag(repository, tag).await?;
    registry.storage.links.forget(repository, &[name]).await?;
    Ok(())
}

async fn tags_of(registry: &Registry, repository: &Repository, digest: &Digest) -> Result<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut visit = |found| {
        if let Found::Link { link: Link::Tag(tag, meant), .. } = found
            && meant == *digest
        {
            tags.push(tag);
        }
    };
    registry.storage.links.walk(repository, &mut visit).await?;
    Ok(tags)
}
