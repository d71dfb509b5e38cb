//! Moves between two folders, cut off anywhere and begun anew.

use crate::clock::FixedClock;
use crate::oci::digest::Algorithm;
use crate::oci::hasher;
use crate::oci::page::Page;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::record::Shelf;
use crate::registry::config::{AbsentContent, Config};
use crate::registry::parts::Registry;
use crate::registry::transfer::names::{self, Names};
use crate::registry::transfer::parts::Transfer;
use crate::registry::transfer::{marks, round, survey};
use crate::registry::uploads::{self, Chunk};
use crate::registry::{delete, manifests, pull};
use crate::storage::layout;
use crate::storage::records::Written;
use crate::{metadata, storage, stream};
use bytes::Bytes;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

async fn registry(folder: &Path) -> Arc<Registry> {
    let storage = storage::open::open(&storage::config::Config::default(), folder).await.unwrap();
    let at = folder.join("metadata");
    let opened = metadata::open::open(&metadata::config::Config::default(), &at, 0).await.unwrap();
    let config = Config { absent_content: AbsentContent::Accept, ..Config::default() };
    Arc::new(Registry::new(storage, opened.metadata, Arc::new(FixedClock::at(0)), config))
}

fn name(number: u32) -> Repository {
    format!("r{}", number % 5).parse().unwrap()
}

/// A layer, some of them large enough to be staged.
fn layer(number: u32) -> Bytes {
    Bytes::from(format!("layer {number} ").repeat(if number.is_multiple_of(4) { 40_000 } else { 10 }))
}

async fn push(registry: &Registry, number: u32) {
    let bytes = layer(number);
    let digest = hasher::digest(Algorithm::Sha256, &bytes);
    let chunk = Chunk { bytes: Some(stream::once(bytes.clone())), length: None, range: None };
    uploads::whole(registry, &name(number), chunk, &digest).await.unwrap();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let descriptor = format!(r#"{{"mediaType":"a/b","digest":"{digest}","size":{}}}"#, bytes.len());
    let json = format!(
        r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{descriptor},"layers":[{descriptor}]}}"#
    );
    let tag = Reference::Tag(format!("t{}", number % 7).parse().unwrap());
    manifests::put(registry, &name(number), &tag, vec![], Some(kind), json.into()).await.unwrap();
    let seen = registry.storage.records.get(Shelf::Users, "u").await.unwrap().map_or(0, |r| r.version);
    let json = format!(r#"{{"n":{number}}}"#);
    let written = registry.storage.records.put(Shelf::Users, "u", json.into(), seen).await.unwrap();
    assert!(matches!(written, Written::Done(_)));
}

fn transfer(from: &Registry, to: &Arc<Registry>) -> Transfer {
    Transfer::new(from.storage.clone(), to.storage.clone(), Some(Arc::clone(to)), 4)
}

async fn held(registry: &Registry, name: &Repository) -> Names {
    names::read(&registry.storage, name, &mut |path, why| panic!("{path}: {why}")).await.unwrap()
}

/// Demands that both hold the same, and that the target's facts and bytes are those of its names.
async fn same(from: &Registry, to: &Registry) {
    for number in 0..5 {
        let name = name(number);
        let names = held(from, &name).await;
        assert_eq!(names, held(to, &name).await, "{name}");
        let tags = to.metadata.manifests.tags(&name, &Page::first(1000)).await.unwrap();
        let tags = tags.map_or_else(Vec::new, |listed| listed.entries);
        assert_eq!(tags, names.tags.keys().cloned().collect::<Vec<_>>(), "{name}");
        for (tag, digest) in &names.tags {
            let resolved = pull::resolve(to, &name, &Reference::Tag(tag.clone())).await.unwrap();
            assert_eq!(resolved.digest, *digest);
        }
        for digest in names.layers.union(&names.revisions) {
            let bytes = pull::stored_manifest(to, digest).await.unwrap().unwrap();
            assert_eq!(hasher::digest(digest.algorithm(), &bytes), *digest);
        }
        for digest in &names.layers {
            assert!(to.metadata.blobs.size(&name, digest).await.unwrap().is_some());
        }
    }
    let known = to.metadata.accounts.find(Shelf::Users, "u").await.unwrap().map(|record| record.json);
    let stored = from.storage.records.get(Shelf::Users, "u").await.unwrap().map(|record| record.json);
    assert_eq!(known, stored);
}

#[test]
fn a_move_that_is_cut_off_anywhere_is_whole_in_the_end() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let steps = proptest::collection::vec((0_u32..40, any::<bool>(), 0_u64..30), 1..6);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(12));
    let proven = runner.run(&steps, |steps| {
        runtime.block_on(async {
            let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let (from, to) = (registry(old.path()).await, registry(new.path()).await);
            for number in 0..10 {
                push(&from, number).await;
            }
            marks::claim(&to.storage, "a").await.unwrap();
            for (number, removes, millis) in steps {
                // A run of its own, which knows nothing of those before it.
                let transfer = transfer(&from, &to);
                let cut = Duration::from_millis(millis);
                let _ = tokio::time::timeout(cut, round::round(&transfer)).await;
                push(&from, number).await;
                if removes {
                    let name = name(number);
                    let first = held(&from, &name).await.revisions.first().copied().unwrap();
                    delete::manifest(&from, &name, &first).await.unwrap();
                }
            }
            let transfer = transfer(&from, &to);
            survey::survey(&transfer).await.unwrap();
            round::round(&transfer).await.unwrap();
            round::facts(&transfer).await.unwrap();
            assert!(!round::round(&transfer).await.unwrap(), "nothing is left to do");
            let (tally, total) = (&transfer.tally, &transfer.tally.total);
            assert_eq!((tally.blobs.now(), tally.bytes.now()), (total.blobs.now(), total.bytes.now()));
            same(&from, &to).await;
        });
        Ok(())
    });
    proven.unwrap();
}

#[tokio::test]
async fn what_is_there_is_not_read_again() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (registry(old.path()).await, registry(new.path()).await);
    for number in 0..10 {
        push(&from, number).await;
    }
    let first = transfer(&from, &to);
    assert!(round::round(&first).await.unwrap());
    assert_eq!(first.tally.blobs_copied.now(), first.tally.blobs.now());
    let second = transfer(&from, &to);
    assert!(!round::round(&second).await.unwrap());
    assert_eq!((second.tally.blobs_copied.now(), second.tally.bytes_copied.now()), (0, 0));
    assert_eq!(second.tally.blobs.now(), first.tally.blobs.now());
}

#[tokio::test]
async fn a_record_that_no_longer_reads_in_the_source_stays_in_the_target() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (registry(old.path()).await, registry(new.path()).await);
    for name in ["gone", "torn"] {
        from.storage.records.put(Shelf::Users, name, "{}".into(), 0).await.unwrap();
    }
    assert!(round::round(&transfer(&from, &to)).await.unwrap());
    from.storage.records.remove(Shelf::Users, "gone", 1).await.unwrap();
    let file = old.path().join("registry").join(layout::record(Shelf::Users, "torn").unwrap());
    std::fs::write(file, "to").unwrap();
    let torn = transfer(&from, &to);
    assert!(round::round(&torn).await.unwrap());
    assert!(to.storage.records.get(Shelf::Users, "gone").await.unwrap().is_none());
    assert!(to.storage.records.get(Shelf::Users, "torn").await.unwrap().is_some());
    let (lost, _) = torn.tally.lost.all();
    assert!(lost.iter().any(|(at, _)| at.ends_with("torn.json")), "{lost:?}");
    assert!(!round::round(&transfer(&from, &to)).await.unwrap(), "nothing is left to do");
}

#[tokio::test]
async fn a_target_belongs_to_one_move() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (full, empty) = (registry(old.path()).await, registry(new.path()).await);
    push(&full, 1).await;
    assert!(marks::claim(&full.storage, "a").await.is_err(), "it holds images of its own");
    assert_eq!(marks::target(&full.storage).await.unwrap(), None);
    let strange = layer(1);
    let digest = hasher::digest(Algorithm::Sha256, &strange);
    let (folder, other) = (tempfile::tempdir().unwrap(), layer(2));
    let blobs = registry(folder.path()).await;
    assert!(blobs.storage.links.lead_nowhere().await.unwrap());
    blobs.storage.blobs.put(&digest, other).await.unwrap();
    assert!(marks::claim(&blobs.storage, "a").await.is_err(), "nobody has hashed what stands there");
    marks::claim(&empty.storage, "a").await.unwrap();
    push(&empty, 1).await;
    marks::claim(&empty.storage, "a").await.unwrap();
    assert!(marks::claim(&empty.storage, "b").await.is_err());
    assert!(!marks::target(&empty.storage).await.unwrap().unwrap().done);
    marks::complete(&empty.storage, "a").await.unwrap();
    assert!(marks::target(&empty.storage).await.unwrap().unwrap().done);
    marks::settle(&empty.storage).await.unwrap();
    assert_eq!(marks::target(&empty.storage).await.unwrap(), None);
    let id = marks::identity(&full.storage).await.unwrap();
    assert_eq!(marks::identity(&full.storage).await.unwrap(), id);
    assert_ne!(marks::identity(&empty.storage).await.unwrap(), id);
}
