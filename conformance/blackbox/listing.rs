//! Listings: tags of a repository and the catalog, their order, pages and limits.
//! It must not know how names are stored.

use crate::testkit::client::{Client, delete, get};
use crate::testkit::image::{blob, image, index};
use crate::testkit::push::{next_page, put_manifest};
use crate::testkit::server::fresh;
use serde_json::json;

/// Tags in an order that differs between a byte-wise, a case-folding and a numeric sort.
const TAGS: [&str; 13] = ["1.10", "1.9", "2", "A", "B", "Z", "_x", "a", "a-b", "a.b", "a_b", "ab", "z"];

fn sorted(names: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
    names.sort_unstable();
    names
}

fn tag_all(client: &Client, repo: &str) {
    let app = image(["base"]);
    client.push_parts(repo, &app);
    for tag in TAGS.iter().rev() {
        client.send(&put_manifest(repo, tag, &app)).expect(201);
    }
}

/// One page, and where the next one is.
#[track_caller]
fn page(client: &Client, path: &str, key: &str) -> (Vec<String>, Option<String>) {
    let answer = client.send(&get(path)).expect(200);
    let names =
        answer.json()[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect();
    (names, next_page(&answer))
}

#[test]
fn tags_are_in_the_order_of_their_bytes() {
    let client = fresh();
    tag_all(&client, "team/app");
    let answer = client.send(&get("/v2/team/app/tags/list")).expect(200);
    assert_eq!(answer.json(), json!({"name": "team/app", "tags": sorted(TAGS)}));
    assert!(answer.need("content-type").starts_with("application/json"));
    assert_eq!(next_page(&answer), None);
}

#[test]
fn pages_of_tags_follow_each_other() {
    let client = fresh();
    tag_all(&client, "app");
    let all = sorted(TAGS);
    for n in [1, 2, 5, 12, 13, 14, 1000] {
        let (first, next) = page(&client, &format!("/v2/app/tags/list?n={n}"), "tags");
        assert_eq!(first, all[..n.min(all.len())]);
        assert_eq!(next.is_some(), n < all.len(), "Link with n={n}");
        assert_eq!(client.listing(&format!("/v2/app/tags/list?n={n}"), "tags"), all, "n={n}");
    }
}

#[test]
fn last_is_where_a_page_begins_not_included() {
    let client = fresh();
    tag_all(&client, "app");
    let all = sorted(TAGS);
    for (at, tag) in all.iter().enumerate() {
        let (rest, next) = page(&client, &format!("/v2/app/tags/list?last={tag}"), "tags");
        assert_eq!((rest.as_slice(), next), (&all[at + 1..], None));
        let (two, _) = page(&client, &format!("/v2/app/tags/list?n=2&last={tag}"), "tags");
        assert_eq!(two, all[at + 1..].iter().take(2).cloned().collect::<Vec<_>>());
    }
    for (last, from) in [("0", 0), ("1.95", 2), ("a-c", 9), ("zz", 13)] {
        let (rest, _) = page(&client, &format!("/v2/app/tags/list?last={last}"), "tags");
        assert_eq!(rest, all[from..], "after {last}, which is no tag");
    }
}

#[test]
fn zero_is_an_empty_page_without_a_link() {
    let client = fresh();
    tag_all(&client, "app");
    for (path, key) in [("/v2/app/tags/list?n=0", "tags"), ("/v2/_catalog?n=0", "repositories")] {
        assert_eq!(page(&client, path, key), (Vec::new(), None));
    }
    assert_eq!(page(&client, "/v2/app/tags/list?n=0&last=A", "tags"), (Vec::new(), None));
}

#[test]
fn too_large_a_page_is_clamped() {
    let client = fresh();
    tag_all(&client, "app");
    for n in [
        "2147483647",
        "2147483648",
        "4294967296",
        "18446744073709551615",
        "18446744073709551616",
        "9".repeat(40).as_str(),
    ] {
        assert_eq!(client.listing(&format!("/v2/app/tags/list?n={n}"), "tags"), sorted(TAGS), "n={n}");
        assert_eq!(client.listing(&format!("/v2/_catalog?n={n}"), "repositories"), ["app"], "n={n}");
    }
}

#[test]
fn what_is_no_number_is_refused() {
    let client = fresh();
    tag_all(&client, "app");
    for n in ["-1", "abc", "1.5", "0x10", "1e3", "%00", "-0x", "--"] {
        for path in [format!("/v2/app/tags/list?n={n}"), format!("/v2/_catalog?n={n}")] {
            client.send(&get(path)).refused(400, "UNSUPPORTED");
        }
    }
}

#[test]
fn the_catalog_lists_every_repository_in_order() {
    let client = fresh();
    let names = ["b", "a", "a/b", "a-b", "a.b", "a0", "a/b/c", "ab", "team/app", "0"];
    for name in names {
        client.push(name, "1", &image(["base"]));
    }
    let all = sorted(names);
    assert_eq!(client.send(&get("/v2/_catalog")).expect(200).json(), json!({"repositories": all}));
    for n in [1, 3, 9, 10, 11] {
        assert_eq!(client.listing(&format!("/v2/_catalog?n={n}"), "repositories"), all, "n={n}");
    }
    for (at, name) in all.iter().enumerate() {
        let (rest, _) = page(&client, &format!("/v2/_catalog?last={name}"), "repositories");
        assert_eq!(rest, all[at + 1..], "after {name}");
        let escaped = name.replace('/', "%2F");
        assert_eq!(page(&client, &format!("/v2/_catalog?last={escaped}"), "repositories").0, all[at + 1..]);
    }
}

#[test]
fn an_empty_registry_has_an_empty_catalog() {
    let client = fresh();
    assert_eq!(client.send(&get("/v2/_catalog")).expect(200).json(), json!({"repositories": []}));
}

#[test]
fn a_repository_without_tags_lists_none() {
    let client = fresh();
    let app = image(["base"]);
    client.push("app", &app.digest, &app);
    assert_eq!(client.send(&get("/v2/app/tags/list")).expect(200).json(), json!({"name": "app", "tags": []}));
    assert_eq!(client.catalog(), ["app"]);
}

#[test]
fn a_repository_leaves_the_catalog_with_its_last_manifest() {
    let client = fresh();
    let (one, two) = (image(["one"]), index([image(["two"])]));
    client.push("app", "1", &one);
    client.push("app", "2", &two);
    client.push("stays", "1", &one);
    client.send(&delete("/v2/app/manifests/1")).expect(202);
    for manifest in [&one, &two] {
        assert_eq!(client.catalog(), ["app", "stays"]);
        client.send(&delete(format!("/v2/app/manifests/{}", manifest.digest))).expect(202);
    }
    assert_eq!(client.catalog(), ["app", "stays"], "the child of the index is still there");
    client.send(&delete(format!("/v2/app/manifests/{}", two.children[0].digest))).expect(202);
    assert_eq!(client.catalog(), ["stays"]);
    // Its blobs are still linked, so it may be known and empty, or no more known.
    let tags = client.send(&get("/v2/app/tags/list"));
    assert!(tags.status == 404 || tags.json()["tags"] == json!([]), "{tags}");
    client.push("app", "1", &one);
    assert_eq!(client.catalog(), ["app", "stays"], "and comes back with its next");
}

#[test]
fn blobs_alone_make_no_entry() {
    let client = fresh();
    client.push_blob("half/pushed", &blob("base"));
    assert!(client.catalog().is_empty());
}
