//! Names out of facts: what storage says of the names of an operation that others have settled meanwhile.
//!
//! Its process stood still, was taken for dead, and may have written names after that which others had moved on. What
//! they were told is in the facts, so each name is made to say what the facts say, under an intent of its own.

use crate::metadata::intents::{Intent, IntentId};
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::registry::error::Result;
use crate::registry::parts::Registry;
use crate::registry::turns::{self, Doing};
use crate::storage::links::{Link, Name};

/// Makes the names of an operation say what the facts say.
pub async fn repair(registry: &Registry, intent: &Intent) -> Result<()> {
    let repository = &intent.repository;
    let _removing = registry.locks.removing(repository).await;
    let blobs = intent.blobs.iter().map(|digest| Name::Layer(*digest));
    let manifests = intent.manifests.iter().map(|digest| Name::Revision(*digest));
    let tags = intent.tags.iter().cloned().map(Name::Tag);
    for name in blobs.chain(manifests).chain(tags) {
        let id = turns::begin_name(registry, repository, &name, Doing::Removing, None).await?;
        let repaired = as_the_facts_say(registry, repository, &name, id).await;
        turns::end(registry, id).await;
        repaired?;
    }
    Ok(())
}

async fn as_the_facts_say(
    registry: &Registry,
    repository: &Repository,
    name: &Name,
    id: IntentId,
) -> Result<()> {
    let metadata = &registry.metadata;
    let link = match name {
        Name::Layer(digest) => metadata.blobs.size(repository, digest).await?.map(|_| Link::Layer(*digest)),
        Name::Revision(digest) => {
            let held = metadata.manifests.resolve(repository, &Reference::Digest(*digest)).await?;
            held.map(|held| Link::Revision(held.digest))
        }
        Name::Tag(tag) => {
            let meant = metadata.manifests.resolve(repository, &Reference::Tag(tag.clone())).await?;
            meant.map(|meant| Link::Tag(tag.clone(), meant.digest))
        }
    };
    turns::stands(registry, id)?;
    match link {
        Some(link) => registry.storage.links.record(repository, &[link]).await?,
        None => registry.storage.links.forget(repository, std::slice::from_ref(name)).await?,
    }
    Ok(())
}
