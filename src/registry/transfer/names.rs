//! Makes the target hold of one repository what the source holds: bytes, then names, then facts; and what the source has
//! no longer goes: facts, then names.

use crate::oci::digest::{Algorithm, Digest};
use crate::oci::hasher;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::registry::parts::Registry;
use crate::registry::rebuild;
use crate::registry::transfer::blobs::carry;
use crate::registry::transfer::error::{Error, Result};
use crate::registry::transfer::parts::{Carried, Transfer};
use crate::storage::links::{Found, Link, Name};
use crate::storage::open::Storage;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::PoisonError;

/// Blobs of one repository that are looked at side by side.
const ENTRIES_AT_ONCE: usize = 64;
/// Names that are written or removed in one call.
const NAMES_A_CALL: usize = 256;

/// What a storage holds of a repository. Its names fit into memory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Blobs.
    pub layers: BTreeSet<Digest>,
    /// Manifests.
    pub revisions: BTreeSet<Digest>,
    /// What each tag means.
    pub tags: BTreeMap<Tag, Digest>,
}

/// Reads them; `odd` is told of what does not read.
pub async fn read(
    storage: &Storage,
    repository: &Repository,
    odd: &mut (dyn FnMut(String, String) + Send),
) -> std::result::Result<Names, crate::storage::error::Error> {
    let mut names = Names::default();
    let mut visit = |found| match found {
        Found::Link { link: Link::Layer(digest), .. } => drop(names.layers.insert(digest)),
        Found::Link { link: Link::Revision(digest), .. } => drop(names.revisions.insert(digest)),
        Found::Link { link: Link::Tag(tag, digest), .. } => drop(names.tags.insert(tag, digest)),
        Found::Odd { path, why } => odd(path, why),
    };
    storage.links.walk(repository, &mut visit).await?;
    Ok(names)
}

impl Names {
    /// A hash that two have only if they hold the same.
    fn hash(&self) -> Digest {
        let mut hasher = hasher::Hasher::new(Algorithm::Sha256);
        for (kind, digests) in [("l", &self.layers), ("r", &self.revisions)] {
            for digest in digests {
                hasher.update(format!("{kind} {digest}\n").as_bytes());
            }
        }
        for (tag, digest) in &self.tags {
            hasher.update(format!("t {tag} {digest}\n").as_bytes());
        }
        hasher.finish()
    }

    /// What of these links `other` does not hold, tags last.
    fn links_beyond(&self, other: &Self) -> Vec<Link> {
        let layers = self.layers.difference(&other.layers).copied().map(Link::Layer);
        let revisions = self.revisions.difference(&other.revisions).copied().map(Link::Revision);
        let tags = self.tags.iter().filter(|(tag, digest)| other.tags.get(tag) != Some(digest));
        layers.chain(revisions).chain(tags.map(|(tag, digest)| Link::Tag(tag.clone(), *digest))).collect()
    }

    /// What of these names `other` does not have, tags first.
    fn names_beyond(&self, other: &Self) -> Vec<Name> {
        let tags = self.tags.keys().filter(|tag| !other.tags.contains_key(tag)).cloned().map(Name::Tag);
        let revisions = self.revisions.difference(&other.revisions).copied().map(Name::Revision);
        tags.chain(revisions).chain(self.layers.difference(&other.layers).copied().map(Name::Layer)).collect()
    }
}

/// Makes the target hold of a repository what the source holds. Answers whether anything had to be changed.
pub async fn repository(transfer: &Transfer, repository: &Repository) -> Result<bool> {
    let tally = &transfer.tally;
    let mut odd = |path: String, why: String| tally.odd.tell(path, why);
    let mut source = read(&transfer.from, repository, &mut odd).await.map_err(Error::Source)?;
    carry_all(transfer, repository, &mut source).await?;
    let hash = source.hash();
    let agreed = transfer.agreed.lock().unwrap_or_else(PoisonError::into_inner).get(repository).copied();
    if agreed == Some(hash) {
        return Ok(false);
    }
    let target = read(&transfer.to, repository, &mut |_, _| {}).await.map_err(Error::Target)?;
    let (add, remove) = (source.links_beyond(&target), target.names_beyond(&source));
    // Layers and revisions stand before tags in the list, and each call is durable before the next.
    for links in add.chunks(NAMES_A_CALL) {
        transfer.to.links.record(repository, links).await.map_err(Error::Target)?;
        tally.names.add(links.len() as u64);
    }
    self::remove(transfer, repository, &remove).await?;
    let changed = !add.is_empty() || !remove.is_empty();
    if let Some(facts) = transfer.facts.as_ref().filter(|_| changed) {
        rebuild::one(facts, repository).await?;
    }
    transfer.agreed.lock().unwrap_or_else(PoisonError::into_inner).insert(repository.clone(), hash);
    Ok(changed)
}

/// Takes a repository away that the source has no longer. Answers whether there was anything.
pub async fn gone(transfer: &Transfer, repository: &Repository) -> Result<bool> {
    transfer.agreed.lock().unwrap_or_else(PoisonError::into_inner).remove(repository);
    let target = read(&transfer.to, repository, &mut |_, _| {}).await.map_err(Error::Target)?;
    let names = target.names_beyond(&Names::default());
    remove(transfer, repository, &names).await?;
    Ok(!names.is_empty())
}

/// Carries the bytes behind all names. A name whose bytes cannot be carried goes from the list.
async fn carry_all(transfer: &Transfer, repository: &Repository, names: &mut Names) -> Result<()> {
    let digests: Vec<Digest> = names.layers.union(&names.revisions).copied().collect();
    let kept: HashSet<Digest> = stream::iter(digests)
        .map(|digest| async move { Ok::<_, Error>((digest, carry(transfer, &digest).await?)) })
        .buffer_unordered(ENTRIES_AT_ONCE)
        .try_filter_map(|(digest, became)| async move {
            let at = format!("{repository}@{digest}");
            match became {
                Carried::There => return Ok(Some(digest)),
                Carried::Absent => transfer.tally.odd.tell(at, "a link to a blob whose bytes are absent"),
                Carried::Torn => transfer.tally.lost.tell(at, "its bytes are not of its digest"),
            }
            Ok(None)
        })
        .try_collect()
        .await?;
    names.layers.retain(|digest| kept.contains(digest));
    names.revisions.retain(|digest| kept.contains(digest));
    let revisions = &names.revisions;
    names.tags.retain(|tag, digest| {
        let is_held = revisions.contains(digest);
        if !is_held {
            let why = format!("a tag of {digest}, which the repository does not hold");
            transfer.tally.odd.tell(format!("{repository}:{tag}"), why);
        }
        is_held
    });
    Ok(())
}

async fn remove(transfer: &Transfer, repository: &Repository, names: &[Name]) -> Result<()> {
    for names in names.chunks(NAMES_A_CALL) {
        if let Some(facts) = &transfer.facts {
            forget_facts(facts, repository, names).await?;
        }
        transfer.to.links.forget(repository, names).await.map_err(Error::Target)?;
        transfer.tally.names.add(names.len() as u64);
    }
    Ok(())
}

async fn forget_facts(facts: &Registry, repository: &Repository, names: &[Name]) -> Result<()> {
    for name in names {
        match name {
            Name::Tag(tag) => drop(facts.metadata.manifests.untag(repository, tag, None).await?),
            Name::Revision(digest) => drop(facts.metadata.manifests.forget(repository, digest, None).await?),
            Name::Layer(digest) => drop(facts.metadata.blobs.unlink(repository, digest, None).await?),
        }
    }
    Ok(())
}
