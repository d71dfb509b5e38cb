//! Facts out of names: what becomes of the names of an operation that was cut short, and whose intent stands.
//!
//! For each: what storage holds whole becomes a fact; what it holds torn, or without bytes, goes away there too. A name
//! is read and its fact written under an intent of its own, so that neither is outdated when the other is done.

use crate::metadata::intents::{Intent, IntentId};
use crate::metadata::manifests::NewManifest;
use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::registry::derive::{self, Odd};
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::registry::repair;
use crate::registry::turns::{self, Doing};
use crate::storage::links::{Found, Link, Name};
use std::collections::BTreeSet;

/// Settles the names of the intent `id`, which stands and goes on standing.
pub async fn settle(registry: &Registry, id: IntentId, intent: &Intent) -> Result<()> {
    let repository = &intent.repository;
    let _removing = registry.locks.removing(repository).await;
    for digest in &intent.blobs {
        name(registry, repository, &Name::Layer(*digest)).await?;
    }
    let mut tags: BTreeSet<Tag> = intent.tags.iter().cloned().collect();
    for digest in &intent.manifests {
        if intent.removing {
            // Some of its tags may be gone from storage already, some from the metadata.
            let forgotten = registry.metadata.manifests.forget(repository, digest, Some(id)).await?;
            tags.extend(forgotten.unwrap_or_default());
            tags.extend(tags_of(registry, repository, digest).await?);
        }
        name(registry, repository, &Name::Revision(*digest)).await?;
    }
    for tag in tags {
        name(registry, repository, &Name::Tag(tag)).await?;
    }
    Ok(())
}

/// What storage holds of a name.
enum Held {
    /// All of it: it is a fact.
    Whole(Fact),
    /// A manifest that is whole, but none that is taken here: not ours to remove.
    NotTaken,
    /// Nothing that is of use: torn, without bytes, or nothing at all where a fact says otherwise.
    Nothing,
    /// Nothing that reads, and no fact says otherwise: both places agree.
    NoFact,
}

enum Fact {
    Blob(Digest, u64),
    Manifest(Box<NewManifest>),
}

async fn name(registry: &Registry, repository: &Repository, name: &Name) -> Result<()> {
    // First as others may who add the same: they need not wait, and mostly nothing has to go away.
    let id = turns::begin_name(registry, repository, name, Doing::Adding).await?;
    let read = match held(registry, repository, name).await {
        Ok(Held::Whole(fact)) => return record(registry, repository, fact, id).await,
        read => {
            turns::end(registry, id).await;
            read?
        }
    };
    let id = match turns::begin_name(registry, repository, name, Doing::Removing).await {
        // Two whose additions of one blob have failed would wait for each other's intents for ever, and nothing has to
        // go away.
        Err(Error::InTheWay) if matches!(read, Held::NoFact) => return Ok(()),
        begun => begun?,
    };
    let settled = match held(registry, repository, name).await {
        Ok(Held::Whole(fact)) => return record(registry, repository, fact, id).await,
        Ok(Held::NotTaken) => forget_fact(registry, repository, name, id).await,
        Ok(Held::Nothing | Held::NoFact) => forget(registry, repository, name, id).await,
        Err(error) => Err(error),
    };
    turns::end(registry, id).await;
    settled
}

async fn held(registry: &Registry, repository: &Repository, name: &Name) -> Result<Held> {
    let meant = registry.storage.links.resolve(repository, name).await?;
    if meant.is_none() && repair::said(registry, repository, name).await?.is_none() {
        return Ok(Held::NoFact);
    }
    match (name, meant) {
        (Name::Layer(digest), Some(meant)) if meant == *digest => {
            let size = registry.storage.blobs.stat(digest).await?;
            Ok(size.map_or(Held::Nothing, |size| Held::Whole(Fact::Blob(*digest, size))))
        }
        (Name::Revision(digest), Some(meant)) if meant == *digest => manifest(registry, digest, vec![]).await,
        // A tag is a fact if storage holds the manifest that it means. Whether that is a fact already does not count:
        // another intent may stand for it, and be settled later.
        (Name::Tag(tag), Some(meant)) => {
            let revision = Name::Revision(meant);
            if registry.storage.links.resolve(repository, &revision).await? == Some(meant) {
                manifest(registry, &meant, vec![tag.clone()]).await
            } else {
                Ok(Held::Nothing)
            }
        }
        _ => Ok(Held::Nothing),
    }
}

async fn manifest(registry: &Registry, digest: &Digest, tags: Vec<Tag>) -> Result<Held> {
    Ok(match derive::stored(registry, digest, tags, registry.clock.unix_secs()).await? {
        Ok(facts) => Held::Whole(Fact::Manifest(Box::new(facts))),
        Err(Odd::NotTaken(_)) => Held::NotTaken,
        Err(Odd::Absent | Odd::OtherBytes) => Held::Nothing,
    })
}

async fn record(registry: &Registry, repository: &Repository, fact: Fact, id: IntentId) -> Result<()> {
    let metadata = &registry.metadata;
    let recorded = match fact {
        Fact::Blob(digest, size) => metadata.blobs.link(repository, &digest, size, Some(id)).await,
        Fact::Manifest(facts) => metadata.manifests.put(repository, *facts, false, Some(id)).await.map(drop),
    };
    if recorded.is_err() {
        turns::end(registry, id).await;
    }
    Ok(recorded?)
}

async fn forget(registry: &Registry, repository: &Repository, name: &Name, id: IntentId) -> Result<()> {
    forget_fact(registry, repository, name, id).await?;
    turns::stands(registry, id)?;
    registry.storage.links.forget(repository, std::slice::from_ref(name)).await?;
    // One that was too long on its way may have taken away what others were told meanwhile.
    turns::stands(registry, id)
}

async fn forget_fact(registry: &Registry, repository: &Repository, name: &Name, id: IntentId) -> Result<()> {
    let metadata = &registry.metadata;
    match name {
        Name::Layer(digest) => drop(metadata.blobs.unlink(repository, digest, Some(id)).await?),
        Name::Revision(digest) => drop(metadata.manifests.forget(repository, digest, Some(id)).await?),
        Name::Tag(tag) => drop(metadata.manifests.untag(repository, tag, Some(id)).await?),
    }
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
