//! Servers that fail, and wires that break: nothing is told that is not so, and what may pass passes.

use crate::oci::digest::Digest;
use crate::record::Shelf;
use crate::storage::contract::{bytes, read, sha256};
use crate::storage::error::Error;
use crate::storage::layout;
use crate::storage::links::{Link, Name};
use crate::storage::object::tests::server::Server;
use crate::storage::object::tests::wire::{Fault, Wire};
use crate::storage::open::Storage;
use crate::storage::records::Written;
use crate::storage::records_contract::{got, json, put};
use futures_util::StreamExt;

const SLOW_DOWN: Fault =
    Fault::Answer(503, "<Error><Code>SlowDown</Code><Message>Less, please.</Message></Error>");
const NO_BUCKET: Fault =
    Fault::Answer(404, "<Error><Code>NoSuchBucket</Code><Message>Gone.</Message></Error>");
const DENIED: Fault = Fault::Answer(403, "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>");
const QUOTA: Fault = Fault::Answer(403, "<Error><Code>QuotaExceeded</Code><Message>Full.</Message></Error>");

async fn with_a_blob(size: usize) -> (Server, Wire, Storage, Digest) {
    let (server, wire) = (Server::start().await, Wire::default());
    let storage = server.storage_over(&wire);
    let whole = bytes(size as u64, size);
    let digest = sha256(&whole);
    storage.blobs.put(&digest, whole).await.unwrap();
    wire.counted();
    (server, wire, storage, digest)
}

#[tokio::test]
async fn a_lost_bucket_is_never_an_absent_object() {
    let (_server, wire, storage, digest) = with_a_blob(10).await;
    let app = "app".parse().unwrap();
    // An answer to HEAD has no body that could tell.
    wire.fail("HEAD", Fault::Answer(404, ""));
    wire.fail("GET", NO_BUCKET);
    assert!(matches!(storage.blobs.stat(&digest).await, Err(Error::Fault { .. })));
    wire.fail("GET", NO_BUCKET);
    assert!(storage.blobs.read(&digest, 0, 9).await.is_err());
    wire.fail("GET", NO_BUCKET);
    assert!(storage.links.resolve(&app, &Name::Layer(digest)).await.is_err());
    wire.fail("GET", NO_BUCKET);
    assert!(storage.records.get(Shelf::Users, "a").await.is_err());
    for _ in 0..3 {
        wire.fail("LIST", NO_BUCKET);
    }
    assert!(storage.links.is_empty().await.is_err());
    assert!(storage.links.repositories().await.is_err());
    assert!(storage.records.is_empty().await.is_err());
    wire.fail("DELETE", NO_BUCKET);
    assert!(storage.links.forget(&app, &[Name::Layer(digest)]).await.is_err());
    wire.fail("GET", Fault::Answer(404, "<html>a proxy that knows no such page</html>"));
    assert!(storage.links.resolve(&app, &Name::Layer(digest)).await.is_err());
}

#[tokio::test]
async fn what_passes_is_waited_for_and_what_does_not_is_told() {
    let (_server, wire, storage, digest) = with_a_blob(10).await;
    for method in ["HEAD", "PUT"] {
        wire.fail(method, SLOW_DOWN);
        wire.fail(method, Fault::Answer(500, ""));
    }
    assert_eq!(storage.blobs.stat(&digest).await.unwrap(), Some(10));
    storage.links.record(&"app".parse().unwrap(), &[Link::Layer(digest)]).await.unwrap();
    for _ in 0..9 {
        wire.fail("GET", SLOW_DOWN);
    }
    for _ in 0..3 {
        wire.counted();
        assert!(matches!(storage.blobs.read(&digest, 0, 9).await, Err(Error::Unreachable { .. })));
        assert_eq!(wire.counted(), [("GET".to_owned(), 3)], "tried again, and not for ever");
    }
    assert!(read(&*storage.blobs, &digest, 0, 9).await.is_some());
    wire.fail("PUT", DENIED);
    let Err(Error::Fault { source, .. }) = storage.blobs.put(&digest, bytes(1, 5)).await else { panic!() };
    assert!(source.to_string().contains("AccessDenied"), "{source}");
    wire.fail("PUT", QUOTA);
    assert!(matches!(storage.blobs.put(&digest, bytes(1, 5)).await, Err(Error::Full)));
}

#[tokio::test]
async fn a_cut_transfer_goes_on_where_it_stood() {
    let (_server, wire, storage, digest) = with_a_blob(300_000).await;
    let whole = bytes(300_000, 300_000);
    // As many cuts as the library mends by itself, and more; each after some bytes.
    for bytes in [100_000, 1, 50_000, 7, 20_000, 30_000, 5_000] {
        wire.fail("GET", Fault::Cut(bytes));
    }
    let (size, all) = read(&*storage.blobs, &digest, 0, u64::MAX).await.unwrap();
    assert!(size == 300_000 && all == whole);
    assert_eq!(wire.counted(), [("GET".to_owned(), 8)]);
    for bytes in [1000, 1000, 1000, 1000] {
        wire.fail("GET", Fault::Cut(bytes));
    }
    assert!(read(&*storage.blobs, &digest, 1234, 9000).await.unwrap().1 == whole.slice(1234..10_234));
}

#[tokio::test]
async fn a_transfer_that_brings_nothing_ends() {
    let (_server, wire, storage, digest) = with_a_blob(1000).await;
    for _ in 0..40 {
        wire.fail("GET", Fault::Cut(0));
    }
    let blob = storage.blobs.read(&digest, 0, u64::MAX).await.unwrap().unwrap();
    let pieces: Vec<_> = blob.bytes.collect().await;
    assert_eq!(pieces.len(), 1);
    assert!(pieces[0].is_err());
}

#[tokio::test]
async fn another_object_never_goes_on_where_one_was_cut() {
    let (server, wire, storage, digest) = with_a_blob(1000).await;
    for _ in 0..4 {
        wire.fail("GET", Fault::Cut(100));
    }
    let mut blob = storage.blobs.read(&digest, 0, u64::MAX).await.unwrap().unwrap();
    assert!(blob.bytes.next().await.unwrap().is_ok());
    server.storage().blobs.put(&digest, bytes(9, 1000)).await.unwrap();
    let rest: Vec<_> = blob.bytes.collect().await;
    assert!(rest.last().unwrap().is_err(), "bytes of two objects in one");
    assert_eq!(rest.iter().filter(|piece| piece.is_ok()).count(), 0);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_no_doubt() {
    let (server, wire) = (Server::start().await, Wire::default());
    let storage = server.storage_over(&wire);
    // The write has happened, and its second try is refused for it.
    wire.fail("PUT", Fault::Lost);
    assert_eq!(storage.records.put(Shelf::Users, "a", json("one"), 0).await.unwrap(), Written::Done(1));
    wire.fail("PUT", Fault::Lost);
    assert_eq!(storage.records.put(Shelf::Users, "a", json("two"), 1).await.unwrap(), Written::Done(2));
    wire.fail("PUT", Fault::Lost);
    wire.fail("PUT", Fault::Lost);
    assert_eq!(storage.records.remove(Shelf::Users, "a", 2).await.unwrap(), Written::Done(2));
    assert_eq!(got(&*storage.records, Shelf::Users, "a").await, None);
    wire.fail("PUT", SLOW_DOWN);
    assert_eq!(storage.records.put(Shelf::Users, "a", json("three"), 0).await.unwrap(), Written::Done(3));
}

#[tokio::test]
async fn of_two_processes_one_changes_a_record() {
    let server = Server::start().await;
    let (one, two) = (server.storage(), server.storage());
    let seen = put(&*one.records, Shelf::Users, "a", "one", 0).await;
    assert_eq!(two.records.put(Shelf::Users, "a", json("x"), 0).await.unwrap(), Written::Stale);
    let changed = put(&*two.records, Shelf::Users, "a", "two", seen).await;
    assert_eq!(one.records.put(Shelf::Users, "a", json("x"), seen).await.unwrap(), Written::Stale);
    assert_eq!(one.records.remove(Shelf::Users, "a", seen).await.unwrap(), Written::Stale);
    assert_eq!(one.records.remove(Shelf::Users, "a", changed).await.unwrap(), Written::Done(changed));
    assert_eq!(two.records.put(Shelf::Users, "a", json("x"), changed).await.unwrap(), Written::Stale);
    assert!(put(&*two.records, Shelf::Users, "a", "again", 0).await > changed);
}

#[tokio::test]
async fn a_removal_that_was_broken_off_is_one() {
    let (server, wire) = (Server::start().await, Wire::default());
    let storage = server.storage_over(&wire);
    for shelf in [Shelf::Users, Shelf::Tokens] {
        let seen = put(&*storage.records, shelf, "a", "one", 0).await;
        wire.fail("DELETE", DENIED);
        assert_eq!(storage.records.remove(shelf, "a", seen).await.unwrap(), Written::Done(seen));
        let path = layout::record(shelf, "a").unwrap();
        assert!(server.file(&path).exists(), "the test is for what is left");
        assert!(storage.records.is_empty().await.unwrap());
        assert_eq!(got(&*storage.records, shelf, "a").await, None);
        assert_eq!(storage.records.put(shelf, "a", json("x"), seen).await.unwrap(), Written::Stale);
        assert_eq!(storage.records.remove(shelf, "a", seen).await.unwrap(), Written::Stale);
        storage.records.walk(shelf, &mut |found| panic!("{found:?}")).await.unwrap();
        let again = put(&*storage.records, shelf, "a", "two", 0).await;
        assert_eq!(again, seen + 1);
        assert!(!storage.records.is_empty().await.unwrap());
        storage.records.remove(shelf, "a", again).await.unwrap();
    }
}

#[tokio::test]
async fn a_tag_is_not_set_back_by_a_write_that_comes_late() {
    let (server, wire) = (Server::start().await, Wire::default());
    let storage = server.storage_over(&wire);
    let app = "app".parse().unwrap();
    let tag = |n: u8| [Link::Tag("v1".parse().unwrap(), sha256(&[n]))];
    let name = Name::Tag("v1".parse().unwrap());
    for (round, before) in [None, Some(0)].into_iter().enumerate() {
        storage.links.forget(&app, std::slice::from_ref(&name)).await.unwrap();
        if let Some(before) = before {
            storage.links.record(&app, &tag(before)).await.unwrap();
        }
        // What the tag will mean is written, and the tag itself stalls on its way.
        wire.fail("PUT", Fault::None);
        wire.fail("PUT", Fault::Stalled);
        let one = tag(1);
        tokio::select! {
            _ = storage.links.record(&app, &one) => panic!("it stalls"),
            () = wire.stalled() => {}
        }
        storage.links.record(&app, &one).await.unwrap();
        storage.links.record(&app, &tag(2)).await.unwrap();
        assert_eq!(wire.deliver().await, 1);
        assert_eq!(storage.links.resolve(&app, &name).await.unwrap(), Some(sha256(&[2])), "round {round}");
    }
}

#[tokio::test]
async fn a_removal_that_comes_late_takes_no_record_that_was_made_since() {
    let (server, wire) = (Server::start().await, Wire::default());
    let (slow, other) = (server.storage_over(&wire), server.storage());
    for shelf in [Shelf::Users, Shelf::Groups, Shelf::ServiceAccounts] {
        let seen = put(&*slow.records, shelf, "bob", "one", 0).await;
        wire.fail("DELETE", Fault::Stalled);
        assert_eq!(slow.records.remove(shelf, "bob", seen).await.unwrap(), Written::Done(seen));
        // Made again by another process, before the first one goes on.
        let made = put(&*other.records, shelf, "bob", "two", 0).await;
        wire.deliver().await;
        assert_eq!(got(&*other.records, shelf, "bob").await, Some((made, json("two"))));
    }
    // Names that never come again leave nothing.
    let seen = put(&*other.records, Shelf::Tokens, "t", "one", 0).await;
    other.records.remove(Shelf::Tokens, "t", seen).await.unwrap();
    assert!(!server.file(&layout::record(Shelf::Tokens, "t").unwrap()).exists());
}
