//! Pushing manifests (distribution-spec, "Pushing Manifests").

use crate::metadata::intents::{Intent, IntentId};
use crate::metadata::manifests::{NewManifest, Put};
use crate::oci::digest::{Algorithm, Digest};
use crate::oci::hasher;
use crate::oci::manifest::Manifest;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::registry::config::AbsentContent;
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::registry::{derive, recover, turns};
use crate::storage::links::Link;
use bytes::Bytes;

/// A manifest that was pushed.
#[derive(Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its digest.
    pub digest: Digest,
    /// Its subject, which the answer must name.
    pub subject: Option<Digest>,
}

/// Takes a manifest under a tag, or under its digest with any number of tags.
pub async fn put(
    registry: &Registry,
    repository: &Repository,
    reference: &Reference,
    mut tags: Vec<Tag>,
    content_type: Option<&str>,
    bytes: Bytes,
) -> Result<Pushed> {
    let _change = registry.read_only.change()?;
    let manifest = Manifest::parse(&bytes, content_type)?;
    let digest = match reference {
        Reference::Digest(said) => match hasher::digest(said.algorithm(), &bytes) {
            actual if actual == *said => actual,
            actual => return Err(Error::DigestMismatch { said: *said, actual }),
        },
        Reference::Tag(tag) => {
            tags.push(tag.clone());
            hasher::digest(Algorithm::Sha256, &bytes)
        }
    };
    tags.sort_unstable();
    tags.dedup();
    let demand = registry.config.absent_content == AbsentContent::Refuse;
    let facts = derive::facts(&manifest, digest, &bytes, tags, registry.clock.unix_secs());
    if demand {
        held(registry, repository, &manifest).await?; // before a byte is written; the facts demand it once more
    }
    let intent = Intent {
        repository: repository.clone(),
        blobs: vec![],
        manifests: vec![digest],
        tags: facts.tags.clone(),
        removing: false,
    };
    let (id, stored) =
        tokio::join!(turns::begin(registry, &intent), registry.storage.blobs.put(&digest, bytes));
    let id = id?;
    // From here on nothing that the manifest names can be removed here, and nobody else moves its tags. Not before the
    // turn among processes: whoever waits for another one keeps nobody of this one waiting.
    let adding = registry.locks.adding(repository, &facts.tags).await;
    let recorded = match stored {
        Ok(()) => record(registry, repository, facts, demand, id).await,
        Err(error) => Err(error.into()),
    };
    drop(adding);
    recover::after(registry, id, &intent, recorded).await?;
    Ok(Pushed { digest, subject: manifest.subject })
}

/// Names, then facts, of a manifest whose bytes are in storage.
async fn record(
    registry: &Registry,
    repository: &Repository,
    facts: NewManifest,
    demand: bool,
    id: IntentId,
) -> Result<()> {
    let digest = facts.resolved.digest;
    let mut links = vec![Link::Revision(digest)];
    links.extend(facts.tags.iter().map(|tag| Link::Tag(tag.clone(), digest)));
    turns::stands(registry, id)?;
    registry.storage.links.record(repository, &links).await?;
    match registry.metadata.manifests.put(repository, facts, demand, Some(id)).await? {
        Put::Recorded => Ok(()),
        Put::Absent(absent) => Err(Error::ContentAbsent(absent)),
    }
}

/// Refuses a manifest that names what the repository does not hold.
async fn held(registry: &Registry, repository: &Repository, manifest: &Manifest) -> Result<()> {
    let absent = registry.metadata.blobs.absent(repository, &manifest.blobs, &manifest.children).await?;
    if absent.is_empty() { Ok(()) } else { Err(Error::ContentAbsent(absent)) }
}
