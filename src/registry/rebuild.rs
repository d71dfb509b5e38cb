//! Making the metadata again from storage, whatever state storage is in: what reads well becomes facts, what
//! does not is reported and skipped.

use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::record::Shelf;
use crate::registry::derive;
use crate::registry::error::Result;
use crate::registry::parts::Registry;
use crate::storage::links::{Found, FoundRepository, Link};
use crate::storage::records::FoundRecord;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::HashMap;
use std::sync::Mutex;

/// Most odd things that are told one by one; all are counted.
pub const ODD_TOLD_MAX: usize = 10_000;
/// Repositories that are read side by side, and entries of each: enough for commits to share their cost.
const REPOSITORIES_AT_ONCE: usize = 16;
const ENTRIES_AT_ONCE: usize = 64;

/// Something in storage that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odd {
    /// Where: a path below the storage root, or a repository with a digest or tag.
    pub at: String,
    /// What is odd about it.
    pub why: String,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Records of accounts, groups, grants and tokens.
    pub records: u64,
    /// Repositories that hold something.
    pub repositories: u64,
    /// Manifests, counted once for each repository that holds them.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// Blobs, counted once for each repository that holds them.
    pub blobs: u64,
    /// What was skipped, up to [`ODD_TOLD_MAX`].
    pub odd: Vec<Odd>,
    /// How much was skipped.
    pub odd_total: u64,
}

impl Report {
    fn tell(&mut self, at: impl Into<String>, why: impl Into<String>) {
        self.odd_total += 1;
        if self.odd.len() < ODD_TOLD_MAX {
            self.odd.push(Odd { at: at.into(), why: why.into() });
        }
    }
}

/// All that one repository's walk has met.
#[derive(Default)]
struct Names {
    layers: Vec<Digest>,
    revisions: Vec<(Digest, u64)>,
    tags: HashMap<Digest, Vec<Tag>>,
    odd: Vec<Odd>,
}

/// Records all of storage in metadata that is empty, or that was begun before, and marks it complete.
/// `progress` is told how many repositories are done, of how many.
pub async fn rebuild(registry: &Registry, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report> {
    // What is recorded must not be of names that are still on their way to the disk.
    registry.storage.links.sync().await?;
    registry.storage.records.sync().await?;
    let report = Mutex::new(Report::default());
    // First: they are few, and without them nobody may read what comes after.
    for shelf in Shelf::ALL {
        records(registry, shelf, &report).await?;
    }
    let found = registry.storage.links.repositories().await?;
    let total = found.len() as u64;
    registry.readiness.found(total);
    progress(0, total);
    stream::iter(found)
        .map(Ok)
        .try_for_each_concurrent(REPOSITORIES_AT_ONCE, |found| {
            let report = &report;
            async move {
                match found {
                    FoundRepository::Odd { path, why } => with(report, |r| r.tell(path, why)),
                    FoundRepository::Repository(repository) => {
                        self::repository(registry, &repository, report).await?;
                    }
                }
                progress(registry.readiness.advance(), total);
                Ok::<(), crate::registry::error::Error>(())
            }
        })
        .await?;
    registry.metadata.completeness.set_complete().await?;
    Ok(report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Records all that storage holds of one repository.
pub async fn one(registry: &Registry, repository: &Repository) -> Result<()> {
    self::repository(registry, repository, &Mutex::default()).await
}

/// Reads a shelf twice: for the names, and then one record after the other. Their names fit into memory, where the
/// records need not.
async fn records(registry: &Registry, shelf: Shelf, report: &Mutex<Report>) -> Result<()> {
    let mut names = Vec::new();
    let mut visit = |found| match found {
        FoundRecord::Record(name, _) => names.push(name),
        FoundRecord::Odd { path, why } => with(report, |r| r.tell(path, why)),
    };
    registry.storage.records.walk(shelf, &mut visit).await?;
    stream::iter(names)
        .map(Ok)
        .try_for_each_concurrent(ENTRIES_AT_ONCE, |name| async move {
            if let Some(record) = registry.storage.records.get(shelf, &name).await? {
                registry.metadata.accounts.keep(shelf, &name, record).await?;
                with(report, |r| r.records += 1);
            }
            Ok(())
        })
        .await
}

async fn repository(registry: &Registry, repository: &Repository, report: &Mutex<Report>) -> Result<()> {
    let names = names(registry, repository).await?;
    let (layers, revisions) = (names.layers.len(), names.revisions.len());
    with(report, |r| {
        names.odd.into_iter().for_each(|odd| r.tell(odd.at, odd.why));
        match (layers, revisions) {
            (0, 0) => r.tell(repository.as_str(), "a repository that holds nothing"),
            (_, 0) => r.tell(repository.as_str(), "a repository that holds blobs, but no manifest"),
            _ => {}
        }
        r.repositories += u64::from(layers + revisions > 0);
    });
    stream::iter(names.layers)
        .map(Ok)
        .try_for_each_concurrent(ENTRIES_AT_ONCE, |digest| layer(registry, repository, digest, report))
        .await?;
    let mut tags = names.tags;
    let revisions: Vec<_> = names
        .revisions
        .into_iter()
        .map(|(digest, modified)| (digest, modified, tags.remove(&digest).unwrap_or_default()))
        .collect();
    with(report, |r| {
        for (digest, tags) in &tags {
            for tag in tags {
                r.tell(
                    format!("{repository}:{tag}"),
                    format!("a tag of {digest}, which the repository does not hold"),
                );
            }
        }
    });
    stream::iter(revisions)
        .map(Ok)
        .try_for_each_concurrent(ENTRIES_AT_ONCE, |(digest, modified, tags)| {
            revision(registry, repository, digest, modified, tags, report)
        })
        .await
}

async fn names(registry: &Registry, repository: &Repository) -> Result<Names> {
    let mut names = Names::default();
    let mut visit = |found| match found {
        Found::Link { link: Link::Layer(digest), .. } => names.layers.push(digest),
        Found::Link { link: Link::Revision(digest), modified } => names.revisions.push((digest, modified)),
        Found::Link { link: Link::Tag(tag, digest), .. } => names.tags.entry(digest).or_default().push(tag),
        Found::Odd { path, why } => names.odd.push(Odd { at: path, why }),
    };
    registry.storage.links.walk(repository, &mut visit).await?;
    Ok(names)
}

async fn layer(
    registry: &Registry,
    repository: &Repository,
    digest: Digest,
    report: &Mutex<Report>,
) -> Result<()> {
    match registry.storage.blobs.stat(&digest).await? {
        Some(size) => {
            registry.metadata.blobs.link(repository, &digest, size, None).await?;
            with(report, |r| r.blobs += 1);
        }
        None => with(report, |r| {
            r.tell(format!("{repository}@{digest}"), "a link to a blob whose bytes are absent");
        }),
    }
    Ok(())
}

async fn revision(
    registry: &Registry,
    repository: &Repository,
    digest: Digest,
    modified: u64,
    tags: Vec<Tag>,
    report: &Mutex<Report>,
) -> Result<()> {
    let tagged = tags.len() as u64;
    match derive::stored(registry, &digest, tags, modified).await? {
        Ok(facts) => {
            registry.metadata.manifests.put(repository, facts, false, None).await?;
            with(report, |r| {
                r.manifests += 1;
                r.tags += tagged;
            });
        }
        Err(why) => with(report, |r| r.tell(format!("{repository}@{digest}"), why.to_string())),
    }
    Ok(())
}

fn with<T>(report: &Mutex<Report>, change: impl FnOnce(&mut Report) -> T) -> T {
    change(&mut report.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FixedClock;
    use crate::metadata::intents::Begun;
    use crate::registry::config::Config;
    use crate::storage::records::Written;
    use crate::{metadata, storage};
    use bytes::Bytes;
    use std::sync::Arc;

    #[tokio::test]
    async fn records_are_read_back_and_bad_ones_told() {
        let folder = tempfile::tempdir().unwrap();
        let storage = storage::open::open(&storage::config::Config::default(), folder.path()).await.unwrap();
        let at = folder.path().join("metadata");
        let opened = metadata::open::open(&metadata::config::Config::default(), &at, 0).await.unwrap();
        let registry =
            Registry::new(storage, opened.metadata, Arc::new(FixedClock::at(0)), Config::default());
        let large = Bytes::from(format!("\"{}\"", "x".repeat(20_000)));
        for shelf in Shelf::ALL {
            for (name, seen) in [("a", 0), ("a", 1), ("m\u{fc} @", 0), ("torn", 0)] {
                let written = registry.storage.records.put(shelf, name, large.clone(), seen).await.unwrap();
                assert_eq!(written, Written::Done(seen + 1));
            }
        }
        let torn = "holdfast/records/users/torn.json";
        std::fs::write(folder.path().join("registry").join(torn), "{\"version\":1,").unwrap();
        // A rebuild goes on where an earlier one was cut off, also in the middle of a change.
        assert_eq!(registry.metadata.accounts.begin(Shelf::Users, "a").await.unwrap(), Begun::Stands);
        for _ in 0..2 {
            let report = rebuild(&registry, &|_, _| {}).await.unwrap();
            assert_eq!((report.records, report.odd_total, report.repositories), (14, 1, 0));
            assert_eq!(report.odd[0].at, torn);
            let accounts = &registry.metadata.accounts;
            for shelf in Shelf::ALL {
                let found = accounts.find(shelf, "a").await.unwrap().unwrap();
                assert!(found.version == 2 && found.json == large);
                assert_eq!(accounts.find(shelf, "m\u{fc} @").await.unwrap().unwrap().version, 1);
                assert_eq!(accounts.find(shelf, "torn").await.unwrap().is_some(), shelf != Shelf::Users);
            }
            assert_eq!(accounts.pending(9).await.unwrap(), []);
            assert!(registry.metadata.completeness.is_complete().await.unwrap());
        }
    }
}
