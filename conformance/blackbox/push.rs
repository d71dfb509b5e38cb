//! Pushes of blobs in one piece: POST and PUT, a single POST, mounts, other digest algorithms, empty blobs.
//! It must not know the pieces of a chunked upload: those are in push_chunks.rs.

use crate::testkit::client::{delete, get, head, post, put};
use crate::testkit::disk::files;
use crate::testkit::image::{blob, digest_of, sha256_of, sha512_of};
use crate::testkit::push::closing;
use crate::testkit::server::fresh;

#[test]
fn post_then_put_stores_a_blob() {
    let client = fresh();
    let opened = client.send(&post("/v2/team/app/blobs/uploads/")).expect(202);
    let location = opened.need("location");
    assert!(location.starts_with("/v2/team/app/blobs/uploads/"), "not a relative location: {location}");
    let id = location.trim_start_matches("/v2/team/app/blobs/uploads/").split('?').next().unwrap();
    assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "not a UUID: {id}");
    let done = client.send(&put(closing(location, &digest_of("base"))).body(blob("base"))).expect(201);
    assert_eq!(done.need("docker-content-digest"), digest_of("base"));
    let stored = client.send(&get(done.need("location"))).expect(200);
    assert_eq!(stored.body, blob("base"));
}

#[test]
fn the_trailing_slash_of_uploads_may_be_missing() {
    let client = fresh();
    let location = client.send(&post("/v2/app/blobs/uploads")).expect(202).need("location").to_owned();
    client.send(&put(closing(&location, &digest_of("base"))).body(blob("base"))).expect(201);
    assert!(client.has_blob("app", &digest_of("base")));
}

#[test]
fn one_post_stores_a_blob() {
    let client = fresh();
    let path = format!("/v2/app/blobs/uploads/?digest={}", digest_of("base"));
    for request in [post(&path).body(blob("base")), post(&path).chunked(blob("base"), 100)] {
        let done = client.send(&request).expect(201);
        assert_eq!(client.send(&get(done.need("location"))).expect(200).body, blob("base"));
    }
}

#[test]
fn a_colon_of_a_digest_may_be_escaped_in_the_query() {
    let client = fresh();
    let escaped = digest_of("base").replace(':', "%3A");
    let location = client.open_upload("app");
    client.send(&put(closing(&location, &escaped)).body(blob("base"))).expect(201);
    client.send(&post(format!("/v2/app/blobs/uploads/?digest={escaped}")).body(blob("base"))).expect(201);
    assert!(client.has_blob("app", &digest_of("base")));
}

#[test]
fn a_put_may_be_chunked() {
    let client = fresh();
    let location = client.open_upload("app");
    client.send(&put(closing(&location, &digest_of("base"))).chunked(blob("base"), 64)).expect(201);
    assert_eq!(
        client.send(&get(format!("/v2/app/blobs/{}", digest_of("base")))).expect(200).body,
        blob("base")
    );
}

#[test]
fn sha512_in_every_form() {
    let client = fresh();
    let forms = [("announced", true), ("told at the end", false)];
    for (name, announced) in forms {
        let bytes = blob(name);
        let digest = sha512_of(&bytes);
        let query = if announced { "?digest-algorithm=sha512" } else { "" };
        let opened = client.send(&post(format!("/v2/app/blobs/uploads/{query}"))).expect(202);
        let done = client.send(&put(closing(opened.need("location"), &digest)).body(&bytes)).expect(201);
        assert_eq!(done.need("docker-content-digest"), digest);
        let stored = client.send(&get(format!("/v2/app/blobs/{digest}"))).expect(200);
        assert_eq!((stored.need("docker-content-digest"), &stored.body), (digest.as_str(), &bytes));
    }
    let bytes = blob("in one request");
    let digest = sha512_of(&bytes);
    client.send(&post(format!("/v2/app/blobs/uploads/?digest={digest}")).body(&bytes)).expect(201);
    assert!(client.has_blob("app", &digest));
}

#[test]
fn an_announced_algorithm_checks_what_arrives() {
    let client = fresh();
    let opened = client.send(&post("/v2/app/blobs/uploads/?digest-algorithm=sha512")).expect(202);
    let wrong = sha512_of(b"something else");
    client
        .send(&put(closing(opened.need("location"), &wrong)).body(blob("base")))
        .refused(400, "DIGEST_INVALID");
    assert!(!client.has_blob("app", &wrong));
}

#[test]
fn the_empty_blob_works() {
    let client = fresh();
    let digest = sha256_of(b"");
    let path = format!("/v2/app/blobs/{digest}");
    let location = client.open_upload("app");
    client.send(&put(closing(&location, &digest))).expect(201);
    assert!(client.send(&get(&path)).expect(200).body.is_empty());
    assert_eq!(client.send(&head(&path)).expect(200).need("content-length"), "0");
    client.send(&post(format!("/v2/other/blobs/uploads/?digest={digest}"))).expect(201);
    let location = client.open_upload("third");
    client.send(&put(closing(&location, &digest)).chunked(b"", 1)).expect(201);
    for repo in ["other", "third"] {
        assert!(client.has_blob(repo, &digest));
    }
}

#[test]
fn pushing_again_what_is_there_succeeds() {
    let client = fresh();
    for _ in 0..3 {
        client.push_blob("app", &blob("base"));
    }
    client.push_blob("other", &blob("base"));
    let data = files(&client.home.registry().join("blobs"));
    assert_eq!(data.len(), 1, "the bytes stand once: {data:?}");
}

#[test]
fn a_blob_stands_in_the_layout_of_registry_2() {
    let client = fresh();
    let digest = client.push_blob("team/app", &blob("base"));
    let hex = digest.trim_start_matches("sha256:");
    let root = client.home.registry();
    let data = root.join("blobs/sha256").join(&hex[..2]).join(hex).join("data");
    assert_eq!(std::fs::read(data).unwrap(), blob("base"));
    let link = root.join("repositories/team/app/_layers/sha256").join(hex).join("link");
    assert_eq!(std::fs::read_to_string(link).unwrap(), digest);
}

#[test]
fn a_mount_takes_a_blob_from_another_repository() {
    let client = fresh();
    let digest = client.push_blob("from/here", &blob("base"));
    let path = format!("/v2/to/there/blobs/uploads/?mount={digest}&from=from/here");
    let mounted = client.send(&post(&path)).expect(201);
    assert_eq!(mounted.need("docker-content-digest"), digest);
    assert_eq!(client.send(&get(mounted.need("location"))).expect(200).body, blob("base"));
    let escaped = format!("/v2/to/there2/blobs/uploads/?mount={digest}&from=from%2Fhere");
    client.send(&post(&escaped)).expect(201);
    assert!(client.has_blob("to/there2", &digest));
    client.send(&delete(format!("/v2/from/here/blobs/{digest}"))).expect(202);
    assert!(client.has_blob("to/there", &digest), "a mounted blob outlives its source's link");
}

#[test]
fn a_mount_without_from_succeeds_or_opens_an_upload() {
    let client = fresh();
    let digest = client.push_blob("from", &blob("base"));
    let answer = client.send(&post(format!("/v2/to/blobs/uploads/?mount={digest}")));
    match answer.status {
        201 => {}
        202 => {
            client.send(&put(closing(answer.need("location"), &digest)).body(blob("base"))).expect(201);
        }
        _ => panic!("neither mounted nor an upload: {answer}"),
    }
    assert!(client.has_blob("to", &digest));
}

#[test]
fn a_mount_of_what_is_not_there_opens_an_upload() {
    let client = fresh();
    client.push_blob("from", &blob("other"));
    let digest = digest_of("base");
    for from in ["&from=from", "&from=nobody", ""] {
        let opened = client.send(&post(format!("/v2/to/blobs/uploads/?mount={digest}{from}"))).expect(202);
        assert!(!client.has_blob("to", &digest), "nothing was mounted");
        client.send(&put(closing(opened.need("location"), &digest)).body(blob("base"))).expect(201);
        client.send(&delete(format!("/v2/to/blobs/{digest}"))).expect(202);
    }
}

#[test]
fn a_mount_onto_itself_succeeds() {
    let client = fresh();
    let digest = client.push_blob("app", &blob("base"));
    client.send(&post(format!("/v2/app/blobs/uploads/?mount={digest}&from=app"))).expect(201);
    assert!(client.has_blob("app", &digest));
}
