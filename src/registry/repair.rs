//! Names out of facts: what storage says of the names of an operation that others have settled meanwhile.
//!
//! Its process stood still, was taken for dead, and may have written names after that which others had moved on. What
//! they were told is in the facts, so each name is made to say what the facts say, under an intent of its own.

use crate::metadata::intents::{Intent, IntentId};
use crate::oci::digest::Digest;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::registry::turns::{self, Doing};
use crate::storage::links::{Link, Name};

/// Makes the names of an operation say what the facts say. `InTheWay`: but for some that another process is changing.
pub async fn repair(registry: &Registry, intent: &Intent) -> Result<()> {
    let repository = &intent.repository;
    let _removing = registry.locks.removing(repository).await;
    let blobs = intent.blobs.iter().map(|digest| Name::Layer(*digest));
    let manifests = intent.manifests.iter().map(|digest| Name::Revision(*digest));
    let tags = intent.tags.iter().cloned().map(Name::Tag);
    let mut in_the_way = false;
    for name in blobs.chain(manifests).chain(tags) {
        match repair_name(registry, repository, &name).await {
            // What another process has under its hands does not keep the other names waiting.
            Err(Error::InTheWay) => in_the_way = true,
            repaired => repaired?,
        }
    }
    if in_the_way { Err(Error::InTheWay) } else { Ok(()) }
}

async fn repair_name(registry: &Registry, repository: &Repository, name: &Name) -> Result<()> {
    let id = match turns::begin_name(registry, repository, name, Doing::Removing).await {
        Err(Error::InTheWay) => {
            // Whoever adds the same is only in the way of what has to go away.
            let id = turns::begin_name(registry, repository, name, Doing::Adding).await?;
            let agree = agree(registry, repository, name).await;
            turns::end(registry, id).await;
            return if agree? { Ok(()) } else { Err(Error::InTheWay) };
        }
        begun => begun?,
    };
    let repaired = as_the_facts_say(registry, repository, name, id).await;
    turns::end(registry, id).await;
    repaired
}

async fn agree(registry: &Registry, repository: &Repository, name: &Name) -> Result<bool> {
    Ok(registry.storage.links.resolve(repository, name).await? == said(registry, repository, name).await?)
}

async fn as_the_facts_say(
    registry: &Registry,
    repository: &Repository,
    name: &Name,
    id: IntentId,
) -> Result<()> {
    let link = said(registry, repository, name).await?.map(|digest| match name {
        Name::Layer(_) => Link::Layer(digest),
        Name::Revision(_) => Link::Revision(digest),
        Name::Tag(tag) => Link::Tag(tag.clone(), digest),
    });
    turns::stands(registry, id)?;
    match link {
        Some(link) => registry.storage.links.record(repository, &[link]).await?,
        None => registry.storage.links.forget(repository, std::slice::from_ref(name)).await?,
    }
    turns::stands(registry, id)
}

/// What a name means as the facts say. `None`: nothing.
pub async fn said(registry: &Registry, repository: &Repository, name: &Name) -> Result<Option<Digest>> {
    let metadata = &registry.metadata;
    let reference = match name {
        Name::Layer(digest) => return Ok(metadata.blobs.size(repository, digest).await?.map(|_| *digest)),
        Name::Revision(digest) => Reference::Digest(*digest),
        Name::Tag(tag) => Reference::Tag(tag.clone()),
    };
    Ok(metadata.manifests.resolve(repository, &reference).await?.map(|resolved| resolved.digest))
}
