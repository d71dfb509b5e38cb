//! What each call costs in requests, and that a blob is read as it stands.

use crate::record::Shelf;
use crate::storage::contract::{bytes, read, sha256};
use crate::storage::layout;
use crate::storage::links::{Link, Name};
use crate::storage::object::tests::server::Server;
use crate::storage::object::tests::wire::Wire;
use crate::storage::records_contract::{json, put};
use std::collections::BTreeMap;

fn told(kinds: &[(&str, usize)]) -> Vec<(String, usize)> {
    kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

#[tokio::test]
async fn no_call_costs_more_requests_than_it_must() {
    let (server, wire) = (Server::start().await, Wire::default());
    let storage = server.storage_over(&wire);
    let (whole, app) = (bytes(1, 1000), "team/app".parse().unwrap());
    let digest = sha256(&whole);
    storage.blobs.put(&digest, whole.clone()).await.unwrap();
    assert_eq!(wire.counted(), told(&[("PUT", 1)]));
    storage.blobs.stat(&digest).await.unwrap().unwrap();
    assert_eq!(wire.counted(), told(&[("HEAD", 1)]));
    for (offset, length) in [(0, u64::MAX), (0, 1000), (10, 20), (10, u64::MAX)] {
        read(&*storage.blobs, &digest, offset, length).await.unwrap();
        assert_eq!(wire.counted(), told(&[("GET", 1)]), "{length} from {offset}");
    }
    storage.links.record(&app, &[Link::Layer(digest)]).await.unwrap();
    assert_eq!(wire.counted(), told(&[("PUT", 1)]));
    let tag = "v1".parse().unwrap();
    storage.links.record(&app, &[Link::Revision(digest), Link::Tag(tag, digest)]).await.unwrap();
    let counted: BTreeMap<_, _> = wire.counted().into_iter().collect();
    assert_eq!(counted, BTreeMap::from_iter(told(&[("HEAD", 1), ("PUT", 3)])), "two PUTs are the tag's");
    storage.links.resolve(&app, &Name::Layer(digest)).await.unwrap().unwrap();
    assert_eq!(wire.counted(), told(&[("GET", 1)]));
    assert!(!storage.links.is_empty().await.unwrap());
    assert_eq!(wire.counted(), told(&[("LIST", 1)]));
    storage.links.repositories().await.unwrap();
    assert_eq!(wire.counted(), told(&[("LIST", 1)]), "no link is read to know of a repository");
    storage.links.walk(&app, &mut |_| ()).await.unwrap();
    assert_eq!(wire.counted(), told(&[("LIST", 2), ("GET", 3)]));
    storage.links.forget(&app, &[Name::Revision(digest)]).await.unwrap();
    assert_eq!(wire.counted(), told(&[("DELETE", 1)]));
    storage.links.forget(&app, &[Name::Tag("v1".parse().unwrap())]).await.unwrap();
    assert_eq!(wire.counted(), told(&[("DELETE", 2), ("LIST", 1)]));
    assert!(storage.records.is_empty().await.unwrap());
    assert_eq!(wire.counted(), told(&[("LIST", 1)]));
    let seen = put(&*storage.records, Shelf::Users, "alice", "one", 0).await;
    assert_eq!(wire.counted(), told(&[("GET", 1), ("PUT", 1)]));
    put(&*storage.records, Shelf::Users, "alice", "two", seen).await;
    assert_eq!(wire.counted(), told(&[("GET", 1), ("PUT", 1)]));
    storage.records.get(Shelf::Users, "alice").await.unwrap().unwrap();
    assert_eq!(wire.counted(), told(&[("GET", 1)]));
    storage.records.put(Shelf::Users, "alice", json("x"), 7).await.unwrap();
    assert_eq!(wire.counted(), told(&[("GET", 1)]), "a stale writer is told after one look");
}

#[tokio::test]
async fn ranges_are_clipped() {
    let server = Server::start().await;
    let storage = server.storage();
    for size in [0, 1, 5000] {
        let whole = bytes(2, size);
        let digest = sha256(&whole);
        storage.blobs.put(&digest, whole.clone()).await.unwrap();
        assert_eq!(storage.blobs.stat(&digest).await.unwrap(), Some(size as u64));
        for (from, length) in
            [(0, size), (0, 0), (size / 2, 9), (size, 1), (size + 9, 1), (0, usize::MAX), (1, usize::MAX)]
        {
            let (told, part) = read(&*storage.blobs, &digest, from as u64, length as u64).await.unwrap();
            let from = from.min(size);
            let expected = whole.slice(from..from.saturating_add(length).min(size));
            assert!(told == size as u64 && part == expected, "{size}: {length} from {from}");
        }
    }
    let absent = sha256(b"absent");
    assert_eq!(storage.blobs.stat(&absent).await.unwrap(), None);
    assert!(storage.blobs.read(&absent, 0, 0).await.unwrap().is_none());
    assert!(storage.blobs.read(&absent, 5, 9).await.unwrap().is_none());
}

#[tokio::test]
async fn the_objects_are_those_of_registry_2_below_the_prefix() {
    let server = Server::start().await;
    let storage = server.storage();
    let (whole, app) = (bytes(3, 10), "team/app".parse().unwrap());
    let digest = sha256(&whole);
    storage.blobs.put(&digest, whole.clone()).await.unwrap();
    storage.links.record(&app, &[Link::Tag("v1".parse().unwrap(), digest)]).await.unwrap();
    assert_eq!(std::fs::read(server.file(&layout::blob(&digest))).unwrap(), whole);
    let base = server.file("docker/registry/v2/repositories/team/app/_manifests/tags/v1");
    let link = std::fs::read_to_string(base.join("current/link")).unwrap();
    assert_eq!(link, digest.to_string());
    assert_eq!(
        std::fs::read_to_string(base.join(format!("index/sha256/{}/link", digest.hex()))).unwrap(),
        link
    );
    put(&*storage.records, Shelf::Users, "a@b", "x", 0).await;
    let text = std::fs::read_to_string(server.file("holdfast/records/users/a%40b.json")).unwrap();
    assert_eq!(text, r#"{"version":1,"record":{"text":"x"}}"#);
}
