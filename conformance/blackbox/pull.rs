//! Pulls: manifests by tag and by digest, blobs, HEAD beside GET, conditional requests, what is not there.
//! It must not know how anything came to be stored beyond a plain push.

use crate::testkit::client::{get, head};
use crate::testkit::image::{OCI_MANIFEST, blob, digest_of, image, sha256_of};
use crate::testkit::server::fresh;

#[test]
fn a_manifest_is_served_by_tag_and_by_digest() {
    let client = fresh();
    let app = image(["base", "top"]);
    client.push("team/app", "1", &app);
    for reference in ["1", app.digest.as_str()] {
        let path = format!("/v2/team/app/manifests/{reference}");
        let by_get = client.send(&get(&path)).expect(200);
        assert_eq!(by_get.body, app.bytes);
        let by_head = client.send(&head(&path)).expect(200);
        assert!(by_head.body.is_empty());
        for answer in [&by_get, &by_head] {
            assert_eq!(answer.need("content-type"), OCI_MANIFEST);
            assert_eq!(answer.need("content-length"), app.bytes.len().to_string());
            assert_eq!(answer.need("docker-content-digest"), app.digest);
            assert_eq!(answer.need("etag"), format!("\"{}\"", app.digest));
            assert_eq!(answer.need("docker-distribution-api-version"), "registry/2.0");
        }
    }
}

#[test]
fn a_blob_is_served_with_its_digest_and_length() {
    let client = fresh();
    client.push_blob("team/app", &blob("base"));
    let path = format!("/v2/team/app/blobs/{}", digest_of("base"));
    let by_get = client.send(&get(&path)).expect(200);
    assert_eq!(by_get.body, blob("base"));
    let by_head = client.send(&head(&path)).expect(200);
    for answer in [&by_get, &by_head] {
        assert_eq!(answer.need("content-length"), blob("base").len().to_string());
        assert_eq!(answer.need("docker-content-digest"), digest_of("base"));
        assert_eq!(answer.need("etag"), format!("\"{}\"", digest_of("base")));
    }
}

#[test]
fn a_large_blob_comes_back_byte_for_byte() {
    let client = fresh();
    let bytes = crate::testkit::chance::Chance::seeded(1).bytes(9 * 1024 * 1024 + 17);
    let digest = client.push_blob("big", &bytes);
    let answer = client.send(&get(format!("/v2/big/blobs/{digest}"))).expect(200);
    assert_eq!(sha256_of(&answer.body), digest);
}

#[test]
fn if_none_match_answers_304_without_a_body() {
    let client = fresh();
    let app = image(["base"]);
    client.push("app", "1", &app);
    let layer = digest_of("base");
    let other = digest_of("other");
    for (path, digest) in [
        ("/v2/app/manifests/1".to_owned(), &app.digest),
        (format!("/v2/app/manifests/{}", app.digest), &app.digest),
        (format!("/v2/app/blobs/{layer}"), &layer),
    ] {
        for condition in [
            format!("\"{digest}\""),
            format!("W/\"{digest}\""),
            format!("\"{other}\", \"{digest}\""),
            "*".to_owned(),
        ] {
            for request in [get(&path), head(&path)] {
                let answer = client.send(&request.header("If-None-Match", &condition));
                assert_eq!(answer.status, 304, "{path} with If-None-Match: {condition}: {answer}");
                assert_eq!(answer.need("etag"), format!("\"{digest}\""));
            }
        }
        let changed = client.send(&get(&path).header("If-None-Match", format!("\"{other}\""))).expect(200);
        assert!(!changed.body.is_empty());
    }
}

#[test]
fn what_is_not_there_is_404_with_its_code() {
    let client = fresh();
    client.push("app", "1", &image(["base"]));
    let absent = digest_of("never pushed");
    for (path, code) in [
        (format!("/v2/app/blobs/{absent}"), "BLOB_UNKNOWN"),
        (format!("/v2/nobody/blobs/{absent}"), "BLOB_UNKNOWN"),
        (format!("/v2/app/manifests/{absent}"), "MANIFEST_UNKNOWN"),
        ("/v2/app/manifests/2".to_owned(), "MANIFEST_UNKNOWN"),
        ("/v2/nobody/manifests/1".to_owned(), "MANIFEST_UNKNOWN"),
        ("/v2/nobody/tags/list".to_owned(), "NAME_UNKNOWN"),
    ] {
        client.send(&get(&path)).refused(404, code);
        assert!(client.send(&head(&path)).body.is_empty());
    }
}

#[test]
fn a_blob_belongs_to_the_repositories_that_hold_it() {
    let client = fresh();
    client.push_blob("here", &blob("base"));
    assert!(client.has_blob("here", &digest_of("base")));
    client.send(&get(format!("/v2/there/blobs/{}", digest_of("base")))).refused(404, "BLOB_UNKNOWN");
}

#[test]
fn a_manifest_is_not_a_tag_of_another_repository() {
    let client = fresh();
    let app = image(["base"]);
    client.push("here", "1", &app);
    client.send(&get("/v2/there/manifests/1")).refused(404, "MANIFEST_UNKNOWN");
    client.send(&get(format!("/v2/there/manifests/{}", app.digest))).refused(404, "MANIFEST_UNKNOWN");
}

#[test]
fn one_connection_serves_many_requests() {
    let client = fresh();
    let app = image(["base", "top"]);
    client.push("app", "1", &app);
    let mut connection = client.connect();
    for _ in 0..20 {
        let manifest = connection.exchange(&get("/v2/app/manifests/1")).unwrap().expect(200);
        assert_eq!(manifest.body, app.bytes);
        let by_head = connection.exchange(&head("/v2/app/manifests/1")).unwrap().expect(200);
        assert!(by_head.body.is_empty());
        let layer =
            connection.exchange(&get(format!("/v2/app/blobs/{}", digest_of("top")))).unwrap().expect(200);
        assert_eq!(layer.body, blob("top"));
    }
}
