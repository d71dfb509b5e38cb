//! Making names and facts agree again where an operation was cut short: by a crash, or by a fault between
//! two of its steps.
//!
//! Storage is the truth. For each name of an intent: what storage holds whole becomes a fact; what it holds
//! torn, or without bytes, goes away there too. Nothing of that was ever acknowledged, so either is right;
//! what matters is that both places say the same. Costs as much as was under way, not as much as is stored.

use crate::metadata::intents::{Begun, Intent, IntentId};
use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::registry::derive::{self, Odd};
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::storage::links::{Found, Link, Name};
use futures_util::{StreamExt, stream};
use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Settles all that the last run left under way. Answers how much that was. What cannot be settled is told,
/// and stays for the next start: one damaged repository must not keep the others from being served.
pub async fn all(registry: &Registry) -> Result<usize> {
    const AT_ONCE: usize = 1024;
    const SIDE_BY_SIDE: usize = 32;
    // Names that the last run wrote may still be on their way to the disk; facts must not overtake them.
    registry.storage.links.sync().await?;
    let unsettled = Mutex::new(HashSet::new());
    let mut settled = 0;
    loop {
        let left = unsettled.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut pending = registry.metadata.intents.pending(AT_ONCE + left.len()).await?;
        pending.retain(|(id, _)| !left.contains(id));
        if pending.is_empty() {
            return Ok(settled);
        }
        settled += pending.len();
        stream::iter(pending)
            .for_each_concurrent(SIDE_BY_SIDE, |(id, intent)| {
                let unsettled = &unsettled;
                async move {
                    if !end(registry, id, &intent).await {
                        unsettled.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
                    }
                }
            })
            .await;
    }
}

/// Begins an operation on names, once no other process has them under its hands.
pub async fn begin(registry: &Registry, intent: &Intent) -> Result<IntentId> {
    const FIRST_WAIT: Duration = Duration::from_millis(5);
    const WAIT_MAX: Duration = Duration::from_secs(10);
    let id = IntentId::random();
    let (mut wait, mut waited) = (FIRST_WAIT, Duration::ZERO);
    loop {
        match registry.metadata.intents.begin(id, intent).await {
            Ok(Begun::Stands) => return Ok(id),
            Ok(Begun::InTheWay) if waited > WAIT_MAX => return Err(Error::InTheWay),
            Ok(Begun::InTheWay) => {}
            Err(error) => {
                // It may stand all the same, and nothing will come of it.
                drop(registry.metadata.intents.end(id).await);
                return Err(error.into());
            }
        }
        tokio::time::sleep(wait).await;
        waited += wait;
        wait = (wait * 2).min(Duration::from_millis(250));
    }
}

/// Hands on the answer of an operation; if it failed, its names and facts are made to agree first. Where even
/// that fails the intent stays, for the next start.
pub async fn after<T>(registry: &Registry, id: IntentId, intent: &Intent, answer: Result<T>) -> Result<T> {
    if answer.is_err() {
        match registry.storage.links.sync().await {
            Ok(()) => drop(end(registry, id, intent).await),
            Err(error) => unsettled(intent, &error.into()),
        }
    }
    answer
}

/// Settles an intent and ends it, if that can be done.
async fn end(registry: &Registry, id: IntentId, intent: &Intent) -> bool {
    let ended = async {
        settle(registry, intent).await?;
        Ok::<(), Error>(registry.metadata.intents.end(id).await?)
    };
    ended.await.inspect_err(|error| unsettled(intent, error)).is_ok()
}

fn unsettled(intent: &Intent, error: &Error) {
    tracing::error!(repository = %intent.repository, %error, "names and facts may differ until the next start");
}

async fn settle(registry: &Registry, intent: &Intent) -> Result<()> {
    let repository = &intent.repository;
    let _removing = registry.locks.removing(repository).await;
    for digest in &intent.blobs {
        blob(registry, repository, digest).await?;
    }
    let mut tags: BTreeSet<Tag> = intent.tags.iter().cloned().collect();
    for digest in &intent.manifests {
        if intent.removing {
            // Some of its tags may be gone from storage already, some from the metadata.
            tags.extend(registry.metadata.manifests.forget(repository, digest).await?.unwrap_or_default());
            tags.extend(tags_of(registry, repository, digest).await?);
        }
        manifest(registry, repository, digest).await?;
    }
    for tag in &tags {
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
    let linked = registry.storage.links.resolve(repository, &name).await? == Some(*digest);
    let stored = derive::stored(registry, digest, vec![], registry.clock.unix_secs()).await?;
    match stored {
        Ok(facts) if linked => {
            registry.metadata.manifests.put(repository, facts, false, None).await?;
        }
        // Whole, but no manifest that is taken here: not ours to remove.
        Err(Odd::NotTaken(_)) if linked => {
            registry.metadata.manifests.forget(repository, digest).await?;
        }
        _ => {
            registry.metadata.manifests.forget(repository, digest).await?;
            registry.storage.links.forget(repository, &[name]).await?;
        }
    }
    Ok(())
}

/// A tag is a fact if storage holds the manifest that it means. Whether that is a fact already does not count:
/// another intent may stand for it, and be settled later.
async fn tag(registry: &Registry, repository: &Repository, tag: &Tag) -> Result<()> {
    let name = Name::Tag(tag.clone());
    if let Some(digest) = registry.storage.links.resolve(repository, &name).await?
        && registry.storage.links.resolve(repository, &Name::Revision(digest)).await? == Some(digest)
    {
        let now = registry.clock.unix_secs();
        match derive::stored(registry, &digest, vec![tag.clone()], now).await? {
            Ok(facts) => {
                registry.metadata.manifests.put(repository, facts, false, None).await?;
                return Ok(());
            }
            Err(Odd::NotTaken(_)) => {
                registry.metadata.manifests.untag(repository, tag).await?;
                return Ok(());
            }
            Err(Odd::Absent | Odd::OtherBytes) => {}
        }
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
