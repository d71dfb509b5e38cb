//! Lists: tags, repositories, referrers. Each a page at a time, at the cost of the page.

use crate::metadata::manifests::{Referrer, Resolved};
use crate::oci::digest::Digest;
use crate::oci::manifest::Manifest;
use crate::oci::page::{Listed, Page};
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::registry::{pull, referrer};

/// A page of referrers.
#[derive(Debug)]
pub struct Referrers {
    /// Descriptors as JSON, in the order of their digests.
    pub descriptors: Vec<String>,
    /// The digest after which the next page begins, if there is one.
    pub next: Option<Digest>,
}

/// A page of some of the repositories.
#[derive(Debug, PartialEq, Eq)]
pub struct Filtered {
    /// Those that were kept, in byte order.
    pub entries: Vec<Repository>,
    /// The repository after which the next page begins, if others follow. If it is not the last of `entries`, it is
    /// one that was not kept: a caller who may not know of it must not be told its name.
    pub next: Option<Repository>,
}

/// A page of the tags of a repository, in byte order.
pub async fn tags(registry: &Registry, repository: &Repository, page: &Page) -> Result<Listed<Tag>> {
    registry
        .metadata
        .manifests
        .tags(repository, page)
        .await?
        .ok_or_else(|| Error::RepositoryUnknown(repository.clone()))
}

/// A page of the repositories that hold a manifest, in byte order.
pub async fn repositories(registry: &Registry, page: &Page) -> Result<Listed<Repository>> {
    Ok(registry.metadata.manifests.repositories(page).await?)
}

/// A page of those repositories that `keep` keeps, at a bounded cost: at most `scan_max` are looked at, so that a
/// caller who may see few of many is answered as soon as one who may see all. The page may then have fewer entries
/// than asked, or none, though there is a next one.
pub async fn repositories_where(
    registry: &Registry,
    page: &Page,
    keep: &(dyn Fn(&Repository) -> bool + Sync),
    scan_max: usize,
) -> Result<Filtered> {
    const STEP_MAX: usize = 256;
    let mut filtered = Filtered { entries: Vec::new(), next: None };
    if page.entries_max == 0 {
        return Ok(filtered);
    }
    let (mut last, mut left) = (page.last.clone(), scan_max.max(1));
    // As many as fill the page of a caller who may see all; more and more for one who may see few.
    let mut entries_max = page.entries_max.min(STEP_MAX);
    loop {
        let step = repositories(registry, &Page { entries_max: entries_max.min(left), last }).await?;
        left -= step.entries.len();
        let reached = step.entries.last().cloned();
        let mut entries = step.entries.into_iter();
        for repository in entries.by_ref().filter(|repository| keep(repository)) {
            filtered.entries.push(repository);
            if filtered.entries.len() == page.entries_max {
                break;
            }
        }
        if filtered.entries.len() == page.entries_max {
            filtered.next =
                filtered.entries.last().filter(|_| step.more || entries.next().is_some()).cloned();
            return Ok(filtered);
        }
        if !step.more || left == 0 {
            filtered.next = reached.filter(|_| step.more);
            return Ok(filtered);
        }
        last = reached.map(|repository| repository.to_string());
        entries_max = (2 * entries_max).min(STEP_MAX);
    }
}

/// A page of the manifests that refer to `subject`. Ends early when the descriptors grow large, so that an
/// answer stays within what clients read (4 MiB).
pub async fn referrers(
    registry: &Registry,
    repository: &Repository,
    subject: &Digest,
    artifact_type: Option<&str>,
    page: &Page,
) -> Result<Referrers> {
    const BYTES_MAX: usize = 3 << 20;
    const ENTRIES_MAX: usize = 500; // each row may be as large as 48 KiB
    let page = Page { entries_max: page.entries_max.min(ENTRIES_MAX), last: page.last.clone() };
    let listed = registry.metadata.manifests.referrers(repository, subject, artifact_type, &page).await?;
    let mut descriptors = Vec::with_capacity(listed.entries.len());
    let (mut bytes, mut last, count) = (0, None, listed.entries.len());
    for entry in listed.entries {
        let digest = entry.digest;
        if let Some(descriptor) = descriptor(registry, repository, entry).await? {
            bytes += descriptor.len();
            descriptors.push(descriptor);
        }
        last = Some(digest);
        if bytes > BYTES_MAX {
            break;
        }
    }
    let more = listed.more || descriptors.len() < count;
    Ok(Referrers { descriptors, next: last.filter(|_| more) })
}

/// The descriptor of an entry: as it stands there, or made again if it was too large to stand there. `None`:
/// the manifest went away meanwhile.
async fn descriptor(registry: &Registry, repository: &Repository, entry: Referrer) -> Result<Option<String>> {
    if entry.descriptor.is_some() {
        return Ok(entry.descriptor);
    }
    let reference = Reference::Digest(entry.digest);
    let resolved: Resolved = match pull::resolve(registry, repository, &reference).await {
        Ok(resolved) => resolved,
        Err(Error::ManifestUnknown(..)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = pull::manifest(registry, repository, &resolved).await?;
    let manifest = Manifest::parse(&bytes, None)?;
    Ok(referrer::of(&manifest, &resolved).descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FixedClock;
    use crate::metadata::manifests::NewManifest;
    use crate::oci::digest::Algorithm;
    use crate::oci::media_type::Kind;
    use crate::registry::config::Config;
    use crate::{metadata, storage};
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn names(listed: &[Repository]) -> Vec<&str> {
        listed.iter().map(Repository::as_str).collect()
    }

    /// A registry with so many repositories, `r0000` and on.
    async fn registry(folder: &std::path::Path, count: usize) -> Registry {
        let storage = storage::open::open(&storage::config::Config::default(), folder).await.unwrap();
        let at = folder.join("metadata");
        let opened = metadata::open::open(&metadata::config::Config::default(), &at, 0).await.unwrap();
        let registry =
            Registry::new(storage, opened.metadata, Arc::new(FixedClock::at(0)), Config::default());
        let digest = crate::oci::hasher::digest(Algorithm::Sha256, b"{}");
        for number in 0..count {
            let manifest = NewManifest {
                resolved: Resolved { digest, kind: Kind::OciImage, size: 2 },
                body: None,
                blobs: vec![],
                children: vec![],
                subject: None,
                tags: vec![],
                pushed: 0,
            };
            let name = format!("r{number:04}").parse().unwrap();
            registry.metadata.manifests.put(&name, manifest, false, None).await.unwrap();
        }
        registry
    }

    fn number(repository: &Repository) -> usize {
        repository.as_str()[1..].parse().unwrap()
    }

    #[tokio::test]
    async fn a_page_of_some_repositories_costs_no_more_than_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let registry = registry(folder.path(), 700).await;
        let looked = AtomicUsize::new(0);
        let ask = async |page: &Page, scan_max: usize, keep: fn(usize) -> bool| {
            looked.store(0, Ordering::Relaxed);
            let keep = |repository: &Repository| {
                looked.fetch_add(1, Ordering::Relaxed);
                keep(number(repository))
            };
            let filtered = repositories_where(&registry, page, &keep, scan_max).await.unwrap();
            let next = filtered.next.as_ref().map(ToString::to_string);
            (names(&filtered.entries).join(" "), next, looked.load(Ordering::Relaxed))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(ask(&Page::first(2), 2000, |_| true).await, ("r0000 r0001".into(), some("r0001"), 2));
        assert_eq!(ask(&Page::first(0), 2000, |_| true).await, (String::new(), None, 0));
        // Few of many: the cost has a bound, and the place where it stopped is told.
        assert_eq!(ask(&Page::first(2), 500, |n| n > 650).await, (String::new(), some("r0499"), 500));
        let page = Page { entries_max: 2, last: some("r0499") };
        assert_eq!(ask(&page, 500, |n| n > 650).await.0, "r0651 r0652");
        assert_eq!(ask(&Page::first(9), 2000, |_| false).await, (String::new(), None, 700));
        assert_eq!(
            ask(&Page::first(9), 700, |_| false).await,
            (String::new(), None, 700),
            "all, not one too many"
        );
        assert_eq!(ask(&Page::first(9), 699, |_| false).await.1, some("r0698"));
        assert_eq!(ask(&Page::first(9), 0, |_| false).await, (String::new(), some("r0000"), 1));
        // What fills the page at the very end has no next one.
        assert_eq!(ask(&Page::first(1), 2000, |n| n == 699).await, ("r0699".into(), None, 700));
        assert_eq!(ask(&Page::first(1), 2000, |n| n == 698).await.1, some("r0698"));
    }

    #[test]
    fn pages_of_some_repositories_make_up_the_whole_list() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let registry = runtime.block_on(registry(folder.path(), 60));
        let inputs = (1_usize..9, 1_usize..30, proptest::collection::vec(any::<bool>(), 60));
        let mut runner = proptest::test_runner::TestRunner::default();
        let proven = runner.run(&inputs, |(entries_max, scan_max, kept)| {
            let keep = |repository: &Repository| kept[number(repository)];
            let (mut all, mut page, mut pages) = (Vec::new(), Page::first(entries_max), 0);
            loop {
                let filtered =
                    runtime.block_on(repositories_where(&registry, &page, &keep, scan_max)).unwrap();
                prop_assert!(filtered.entries.len() <= entries_max);
                all.extend(filtered.entries.iter().map(number));
                pages += 1;
                let Some(next) = filtered.next else { break };
                prop_assert!(page.last.as_deref() < Some(next.as_str()), "it goes on");
                page.last = Some(next.to_string());
            }
            prop_assert!(pages <= 60);
            prop_assert_eq!(all, (0..60).filter(|&number| kept[number]).collect::<Vec<_>>());
            Ok(())
        });
        proven.unwrap();
    }
}
