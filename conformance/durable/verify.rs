//! Holds a restarted server against what the clients know, then settles what was open: a state that was only
//! allowed is now the one that was found. It must not know how the server died.

use crate::book::{Book, Name};
use crate::shared_tag::{SHARED, SharedTags};
use crate::snapshot::Asker;
use crate::testkit::client::Client;
use crate::testkit::image::sha256_of;
use crate::worker::REPOSITORIES;
use std::collections::BTreeSet;

/// What was found, counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub blobs: usize,
    pub manifests: usize,
    pub tags: usize,
    /// Unacknowledged changes that were found done, and found not done.
    pub open_done: usize,
    pub open_undone: usize,
}

/// Checks every blob, manifest and tag of every book.
pub fn settle(client: &Client, books: &mut [Book], shared: &SharedTags) -> Counts {
    let mut counts = Counts::default();
    let mut asker = Asker::new(*client);
    for book in &mut *books {
        settle_blobs(&mut asker, book, &mut counts);
        settle_manifests(&mut asker, book, &mut counts);
        settle_tags(&mut asker, book, &mut counts);
    }
    for repo in REPOSITORIES {
        let found = asker.tag(repo, SHARED).map(|manifest| manifest.digest);
        let allowed = shared.allowed(repo);
        assert!(allowed.contains(&found), "{repo}:{SHARED} is {found:?}, allowed was {allowed:?}");
        shared.settle(repo, found.as_ref());
    }
    listings_agree(client, books, shared);
    counts
}

fn settle_blobs(asker: &mut Asker, book: &mut Book, counts: &mut Counts) {
    for ((repo, digest), blob) in &mut book.blobs {
        match asker.blob(repo, digest) {
            Some(bytes) => {
                assert_eq!(sha256_of(&bytes), *digest, "{repo}: a blob with wrong bytes is served");
            }
            None => assert!(!blob.acknowledged, "{repo}: the acknowledged blob {digest} is lost"),
        }
        if blob.acknowledged {
            counts.blobs += 1;
        } else if asker.blob_size(repo, digest).is_some() {
            counts.open_done += 1;
            blob.acknowledged = true;
        } else {
            counts.open_undone += 1;
        }
    }
    book.blobs.retain(|_, blob| blob.acknowledged);
}

fn settle_manifests(asker: &mut Asker, book: &mut Book, counts: &mut Counts) {
    for ((repo, digest), held) in &mut book.manifests {
        let found = asker.manifest(repo, digest);
        let open = held.may_be_there && held.may_be_absent;
        match &found {
            Some(manifest) => {
                assert!(held.may_be_there, "{repo}: the deleted manifest {digest} is back");
                assert_eq!(manifest.bytes, held.manifest.bytes, "{repo}: {digest} has other bytes");
                assert_eq!(
                    manifest.media_type, held.manifest.media_type,
                    "{repo}: {digest} has another type"
                );
                counts.manifests += 1;
                for blob in named_blobs(&held.manifest.json()) {
                    assert!(
                        asker.blob_size(repo, &blob).is_some(),
                        "{repo}: {digest} is served without its blob {blob}"
                    );
                }
            }
            None => assert!(held.may_be_absent, "{repo}: the acknowledged manifest {digest} is lost"),
        }
        if open {
            *(if found.is_some() { &mut counts.open_done } else { &mut counts.open_undone }) += 1;
        }
        (held.may_be_there, held.may_be_absent) = (found.is_some(), found.is_none());
    }
}

fn named_blobs(manifest: &serde_json::Value) -> Vec<String> {
    let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
    let all = layers.iter().chain([&manifest["config"]]);
    all.filter_map(|descriptor| descriptor["digest"].as_str().map(str::to_owned)).collect()
}

fn settle_tags(asker: &mut Asker, book: &mut Book, counts: &mut Counts) {
    for ((repo, tag), allowed) in &mut book.tags {
        let found = asker.tag(repo, tag);
        let digest = found.as_ref().map(|manifest| manifest.digest.clone());
        assert!(allowed.contains(&digest), "{repo}:{tag} is {digest:?}, allowed was {allowed:?}");
        if let Some(manifest) = found {
            assert!(
                asker.manifest(repo, &manifest.digest).is_some(),
                "{repo}:{tag} points at what is not served"
            );
            counts.tags += 1;
        }
        *allowed = [digest].into();
    }
}

/// Nothing is listed that nobody pushed, and nothing missing.
fn listings_agree(client: &Client, books: &[Book], shared: &SharedTags) {
    let there = |(name, held): (&Name, &crate::book::Held)| held.may_be_there.then(|| name.0.clone());
    let with_manifests: BTreeSet<String> =
        books.iter().flat_map(|book| book.manifests.iter().filter_map(there)).collect();
    assert_eq!(client.catalog(), with_manifests.iter().cloned().collect::<Vec<_>>());
    for repo in &with_manifests {
        let own = books.iter().flat_map(|book| &book.tags);
        let own = own
            .filter(|((r, _), allowed)| r == repo && !allowed.contains(&None))
            .map(|((_, tag), _)| tag.clone());
        let mut expected: BTreeSet<String> = own.collect();
        if shared.allowed(repo) != [None] && !shared.allowed(repo).is_empty() {
            expected.extend(shared.allowed(repo).iter().flatten().map(|_| SHARED.to_owned()));
        }
        assert_eq!(client.tags(repo), expected.into_iter().collect::<Vec<_>>(), "tags of {repo}");
    }
}
