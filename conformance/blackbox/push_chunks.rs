//! Uploads in pieces: streamed PATCH as `docker push` sends it, chunks with Content-Range, the last chunk in the
//! PUT, status and cancel. It must not know interruptions: those are in resume.rs.

use crate::testkit::answer::Answer;
use crate::testkit::chance::Chance;
use crate::testkit::client::{Client, Request, delete, get, patch, put};
use crate::testkit::disk::files;
use crate::testkit::image::{blob, digest_of, sha256_of, sha512_of};
use crate::testkit::push::closing;
use crate::testkit::server::fresh;

/// A PATCH of one chunk, its place written as `from-to` after this prefix.
fn ranged(location: &str, prefix: &str, from: usize, bytes: &[u8]) -> Request {
    patch(location).header("Content-Range", format!("{prefix}{from}-{}", from + bytes.len() - 1)).body(bytes)
}

/// Checks what a good PATCH promises and gives the location to go on with.
#[track_caller]
fn appended(answer: Answer, end: usize) -> String {
    let answer = answer.expect(202);
    assert_eq!(answer.need("range"), format!("0-{}", end - 1));
    answer.need("location").to_owned()
}

#[track_caller]
fn finish(client: &Client, location: &str, bytes: &[u8]) {
    let digest = sha256_of(bytes);
    client.send(&put(closing(location, &digest))).expect(201);
    assert_eq!(client.send(&get(format!("/v2/app/blobs/{digest}"))).expect(200).body, bytes);
}

#[test]
fn a_patch_streamed_without_a_length() {
    let client = fresh();
    let bytes = Chance::seeded(2).bytes(3 * 1024 * 1024 + 5);
    let location = client.open_upload("app");
    let location = appended(client.send(&patch(&location).chunked(&bytes, 40_000)), bytes.len());
    finish(&client, &location, &bytes);
}

#[test]
fn two_streamed_patches_append() {
    let client = fresh();
    let bytes = Chance::seeded(3).bytes(200_000);
    let (first, second) = bytes.split_at(70_001);
    let location = client.open_upload("app");
    let location = appended(client.send(&patch(&location).chunked(first, 999)), first.len());
    let location = appended(client.send(&patch(&location).chunked(second, 999)), bytes.len());
    finish(&client, &location, &bytes);
}

#[test]
fn chunks_with_content_range_with_and_without_bytes() {
    let client = fresh();
    for prefix in ["", "bytes "] {
        let bytes = Chance::seeded(prefix.len() as u64).bytes(100_000);
        let mut location = client.open_upload("app");
        for (at, piece) in bytes.chunks(33_000).enumerate() {
            let from = at * 33_000;
            location = appended(client.send(&ranged(&location, prefix, from, piece)), from + piece.len());
        }
        finish(&client, &location, &bytes);
    }
}

#[test]
fn the_last_chunk_may_come_in_the_put() {
    let client = fresh();
    let bytes = Chance::seeded(4).bytes(50_000);
    let (first, last) = bytes.split_at(30_000);
    let digest = sha256_of(&bytes);
    let range = format!("{}-{}", first.len(), bytes.len() - 1);
    for request in [
        put("").body(last),
        put("").body(last).header("Content-Range", &range),
        put("").body(last).header("Content-Range", format!("bytes {range}")),
        put("").chunked(last, 1000),
    ] {
        let location = client.open_upload("app");
        let location = appended(client.send(&ranged(&location, "", 0, first)), first.len());
        client.send(&request.at(closing(&location, &digest))).expect(201);
        assert_eq!(client.send(&get(format!("/v2/app/blobs/{digest}"))).expect(200).body, bytes);
        client.send(&delete(format!("/v2/app/blobs/{digest}"))).expect(202);
    }
}

#[test]
fn a_last_chunk_out_of_order_in_the_put_is_416_and_the_upload_goes_on() {
    let client = fresh();
    let bytes = blob("base");
    let (first, last) = bytes.split_at(100);
    let digest = sha256_of(&bytes);
    let location = client.open_upload("app");
    let location = appended(client.send(&ranged(&location, "", 0, first)), 100);
    for from in [99, 101] {
        let range = format!("{from}-{}", from + last.len() - 1);
        let request = put(closing(&location, &digest)).header("Content-Range", range).body(last);
        let refused = client.send(&request).refused(416, "BLOB_UPLOAD_INVALID");
        assert_eq!(refused.need("range"), "0-99");
    }
    assert!(!client.has_blob("app", &digest));
    client.send(&put(closing(&location, &digest)).body(last)).expect(201);
    assert!(client.has_blob("app", &digest));
}

#[test]
fn chunks_of_a_sha512_blob() {
    let client = fresh();
    let bytes = Chance::seeded(5).bytes(70_000);
    let digest = sha512_of(&bytes);
    let opened = client.send(&crate::testkit::client::post("/v2/app/blobs/uploads/?digest-algorithm=sha512"));
    let mut location = opened.expect(202).need("location").to_owned();
    for (at, piece) in bytes.chunks(30_000).enumerate() {
        location =
            appended(client.send(&ranged(&location, "", at * 30_000, piece)), at * 30_000 + piece.len());
    }
    client.send(&put(closing(&location, &digest))).expect(201);
    assert_eq!(client.send(&get(format!("/v2/app/blobs/{digest}"))).expect(200).body, bytes);
}

#[test]
fn one_byte_at_a_time() {
    let client = fresh();
    let bytes = b"seven!!";
    let mut location = client.open_upload("app");
    for (at, byte) in bytes.iter().enumerate() {
        location = appended(client.send(&ranged(&location, "", at, &[*byte])), at + 1);
    }
    finish(&client, &location, bytes);
}

#[test]
fn an_empty_patch_changes_nothing() {
    let client = fresh();
    let location = client.open_upload("app");
    let location = client.send(&patch(&location)).expect(202).need("location").to_owned();
    let location = appended(client.send(&patch(&location).body(b"abc")), 3);
    let location = appended(client.send(&patch(&location).chunked(b"", 1)), 3);
    finish(&client, &location, b"abc");
}

#[test]
fn the_status_tells_how_far_an_upload_is() {
    let client = fresh();
    let location = client.open_upload("app");
    let opened = client.send(&get(&location)).expect(204);
    assert!(opened.need("location").starts_with("/v2/app/blobs/uploads/"));
    let mut sent = 0;
    for size in [1, 10, 100_000] {
        client.send(&patch(&location).body(vec![7; size])).expect(202);
        sent += size;
        let status = client.send(&get(&location)).expect(204);
        assert_eq!(status.need("range"), format!("0-{}", sent - 1));
        assert!(status.need("location").starts_with("/v2/app/blobs/uploads/"));
    }
}

#[test]
fn a_cancelled_upload_is_gone_with_its_bytes() {
    let client = fresh();
    let bytes = Chance::seeded(6).bytes(123_457);
    let location = client.open_upload("app");
    client.send(&patch(&location).body(&bytes)).expect(202);
    client.send(&delete(&location)).expect(204);
    for request in [
        get(&location),
        patch(&location).body(b"x"),
        put(closing(&location, &sha256_of(&bytes))),
        delete(&location),
    ] {
        client.send(&request).refused(404, "BLOB_UPLOAD_UNKNOWN");
    }
    assert!(!client.has_blob("app", &sha256_of(&bytes)));
    let left: Vec<_> = files(&client.home.data().join("registry"))
        .into_iter()
        .filter(|path| path.metadata().is_ok_and(|m| m.len() >= bytes.len() as u64))
        .collect();
    assert!(left.is_empty(), "a cancelled upload left {left:?}");
}

#[test]
fn an_upload_belongs_to_its_repository() {
    let client = fresh();
    let location = client.open_upload("mine");
    let foreign = location.replacen("/v2/mine/", "/v2/yours/", 1);
    client.send(&get(&foreign)).refused(404, "BLOB_UPLOAD_UNKNOWN");
    client
        .send(&put(closing(&foreign, &digest_of("base"))).body(blob("base")))
        .refused(404, "BLOB_UPLOAD_UNKNOWN");
    client.send(&put(closing(&location, &digest_of("base"))).body(blob("base"))).expect(201);
    assert!(!client.has_blob("yours", &digest_of("base")));
}

#[test]
fn uploads_beside_each_other_do_not_mix() {
    let client = fresh();
    let locations: Vec<String> = (0..5).map(|_| client.open_upload("app")).collect();
    for round in 0..4 {
        for (at, location) in locations.iter().enumerate() {
            client.send(&patch(location).body(format!("upload {at} round {round};"))).expect(202);
        }
    }
    for (at, location) in locations.iter().enumerate() {
        let bytes = [0, 1, 2, 3].map(|round| format!("upload {at} round {round};")).concat();
        finish(&client, location, bytes.as_bytes());
    }
}
