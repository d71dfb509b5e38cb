//! Objects that have no place in the layout: told as on a filesystem, and passed over.

use crate::oci::digest::Digest;
use crate::record::{RECORD_BYTES_MAX, Shelf};
use crate::storage::contract::{listed, sha256, walked};
use crate::storage::error::Error;
use crate::storage::layout;
use crate::storage::links::{Link, Name};
use crate::storage::object::tests::server::Server;
use crate::storage::records_contract::{json, put, walked as records_walked};

const REPOSITORIES: &str = "docker/registry/v2/repositories";

#[tokio::test]
async fn odd_objects_are_told_and_passed_over() {
    let server = Server::start().await;
    let storage = server.storage();
    let app = "app".parse().unwrap();
    let (good, other): (Digest, Digest) = (sha256(b"good"), sha256(b"other"));
    let links = [Link::Layer(good), Link::Revision(good), Link::Tag("v1".parse().unwrap(), good)];
    storage.links.record(&app, &links).await.unwrap();
    // Repositories beside it and in it are others.
    storage.links.record(&"app/inner".parse().unwrap(), &[Link::Layer(other)]).await.unwrap();
    storage.links.record(&"app2".parse().unwrap(), &[Link::Layer(other)]).await.unwrap();
    let base = format!("{REPOSITORIES}/app");
    let hex = |c: &str| c.repeat(64);
    let mut odd = Vec::new();
    let mut write = |path: &str, text: &str, told: &str| {
        server.write(&format!("{base}/{path}"), text);
        if !told.is_empty() {
            odd.push(format!("{base}/{told}"));
        }
    };
    for (path, text) in [
        (format!("_layers/sha256/{}/link", hex("a")), String::new()),
        (format!("_layers/sha256/{}/link", hex("b")), format!("sha256:{}", "b".repeat(63))),
        (format!("_layers/sha256/{}/link", hex("c")), other.to_string()),
        (format!("_layers/sha256/{}/link", hex("f")), "x".repeat(9999)),
        ("_layers/sha256/stray".into(), "x".into()),
        (format!("_manifests/revisions/sha256/{}/link", hex("d")), "\u{fffd}\n".into()),
        ("_manifests/tags/v2/current/link".into(), good.to_string() + "\n"),
        ("_manifests/tags/v1/other".into(), "x".into()),
        ("_manifests/stray".into(), "x".into()),
    ] {
        write(&path, &text, &path);
    }
    write("_layers/sha256/nothex/a/b", "x", "_layers/sha256/nothex");
    write("_layers/sha256/nothex/c", "x", "");
    write("_layers/md5/1/link", "x", "_layers/md5");
    write("_layers/md5/2/link", "x", "");
    write("_manifests/tags/v3/index/sha256/x/link", "x", "_manifests/tags/v3/current/link");
    write("_manifests/tags/-bad/current/link", "x", "_manifests/tags/-bad");
    // Of these nobody asks.
    write(&format!("_manifests/revisions/sha256/{}/signatures/x/link", good.hex()), "x", "");
    write("_uploads/some/thing", "x", "");
    odd.sort();
    assert_eq!(walked(&*storage.links, &app).await, (links.to_vec(), odd));
    for tag in ["v2", "v3"] {
        assert_eq!(storage.links.resolve(&app, &Name::Tag(tag.parse().unwrap())).await.unwrap(), None);
    }
    for torn in ["c", "f"] {
        let torn: Digest = format!("sha256:{}", hex(torn)).parse().unwrap();
        assert_eq!(storage.links.resolve(&app, &Name::Layer(torn)).await.unwrap(), None);
        storage.links.record(&app, &[Link::Layer(torn)]).await.unwrap();
        assert_eq!(storage.links.resolve(&app, &Name::Layer(torn)).await.unwrap(), Some(torn));
    }
}

#[tokio::test]
async fn odd_folders_are_no_repositories() {
    let server = Server::start().await;
    let storage = server.storage();
    let path = |below: &str| format!("{REPOSITORIES}/{below}");
    for below in [
        "good/_layers/sha256/x/link",
        "good/in/side/_manifests/x",
        "only/_uploads/x",
        "Bad/_layers/x",
        "a..b/x/y",
        "_layers/x",
        "good/stray",
        "top",
    ] {
        server.write(&path(below), "x");
    }
    let mut odd = ["Bad", "_layers", "a..b", "good/stray", "top"].map(path);
    odd.sort();
    assert_eq!(listed(&*storage.links).await, (vec!["good".into(), "good/in/side".into()], odd.to_vec()));
}

#[tokio::test]
async fn repositories_are_found_across_pages() {
    let server = Server::start().await;
    let storage = server.storage();
    let digest = sha256(b"x");
    let mut expected = Vec::new();
    for name in ["a", "a/inner", "a-b", "big", "big/0", "big/in/ner", "z"] {
        storage.links.record(&name.parse().unwrap(), &[Link::Revision(digest)]).await.unwrap();
        expected.push(name.to_owned());
    }
    // More than two pages in one repository, before and behind the names of others.
    for number in 0..1300 {
        let hex = sha256(format!("{number}").as_bytes()).hex();
        server.write(&format!("{REPOSITORIES}/big/_layers/sha256/{hex}/link"), "x");
        server.write(&format!("{REPOSITORIES}/big/_manifests/tags/v{number}/current/link"), "x");
    }
    expected.sort();
    assert_eq!(listed(&*storage.links).await, (expected, vec![]));
}

#[tokio::test]
async fn what_does_not_read_is_told_and_its_name_is_not_free() {
    let server = Server::start().await;
    let storage = server.storage();
    put(&*storage.records, Shelf::Users, "good", "x", 0).await;
    let shelf = layout::shelf(Shelf::Users);
    let write = |file: &str, text: &str| server.write(&format!("{shelf}/{file}"), text);
    write("empty.json", "");
    write("torn.json", r#"{"version":1,"record":{"hash":"#);
    write("foreign.json", r#"{"name":"foreign"}"#);
    write("large.json", &format!(r#"{{"version":1,"record":"{}"}}"#, "x".repeat(RECORD_BYTES_MAX + 5000)));
    for name in ["empty", "torn", "foreign", "large"] {
        let Err(Error::Fault { what, .. }) = storage.records.get(Shelf::Users, name).await else {
            panic!("{name} looks free")
        };
        assert_eq!(what, format!("{shelf}/{name}.json"));
        for seen in [0, 1] {
            assert!(storage.records.put(Shelf::Users, name, json("x"), seen).await.is_err(), "{name}");
            assert!(storage.records.remove(Shelf::Users, name, seen.max(1)).await.is_err(), "{name}");
        }
    }
    write("stray", "x");
    write("a b.json", r#"{"version":1,"record":{}}"#);
    let (good, odd) = records_walked(&*storage.records, Shelf::Users).await;
    assert_eq!(good.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["good"]);
    let files = ["a b.json", "empty.json", "foreign.json", "large.json", "stray", "torn.json"];
    assert_eq!(odd, files.map(|file| format!("{shelf}/{file}")));
    // What a shelf remembers does not read: no new name gets a version that one had before.
    server.write(&layout::removed(Shelf::Users), "x");
    assert!(storage.records.put(Shelf::Users, "new", json("x"), 0).await.is_err());
    assert!(storage.records.remove(Shelf::Users, "good", 1).await.is_err());
    assert_eq!(
        put(&*storage.records, Shelf::Users, "good", "y", 1).await,
        2,
        "one that is there has its own"
    );
    assert!(records_walked(&*storage.records, Shelf::Users).await.1.contains(&layout::removed(Shelf::Users)));
}
