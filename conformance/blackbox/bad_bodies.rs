//! What bad input gets, second half: bytes that do not match their digest, Content-Range that lies, manifests that
//! are none, too large or name what is not there. Names and digests are in bad_input.rs.

use crate::testkit::answer::Answer;
use crate::testkit::chance::Chance;
use crate::testkit::client::{Client, Connection, get, patch, post, put, request};
use crate::testkit::disk::files;
use crate::testkit::image::{
    DOCKER_LIST, DOCKER_MANIFEST, Manifest, OCI_INDEX, OCI_MANIFEST, blob, descriptor, digest_of,
    docker_image, image, index, sha256_of,
};
use crate::testkit::push::{closing, put_manifest};
use crate::testkit::server::{Home, Running, fresh, running};
use serde_json::{Value, json};

/// Files of at least that size anywhere below the data folder's storage.
fn large_files(client: &Running, size: usize) -> Vec<std::path::PathBuf> {
    let all = files(&client.home.data().join("registry"));
    all.into_iter().filter(|path| path.metadata().is_ok_and(|m| m.len() >= size as u64)).collect()
}

#[test]
fn bytes_that_do_not_match_their_digest() {
    let client = fresh();
    let bytes = Chance::seeded(20).bytes(100_000);
    let wrong = digest_of("something else");
    let single = post(format!("/v2/app/blobs/uploads/?digest={wrong}")).body(&bytes);
    client.send(&single).refused(400, "DIGEST_INVALID");
    let location = client.open_upload("app");
    client.send(&put(closing(&location, &wrong)).body(&bytes)).refused(400, "DIGEST_INVALID");
    client.send(&get(&location)).refused(404, "BLOB_UPLOAD_UNKNOWN");
    let location = client.open_upload("app");
    client.send(&patch(&location).body(&bytes)).expect(202);
    client.send(&put(closing(&location, &wrong))).refused(400, "DIGEST_INVALID");
    client.send(&put(closing(&location, &sha256_of(&bytes)))).refused(404, "BLOB_UPLOAD_UNKNOWN");
    for digest in [&wrong, &sha256_of(&bytes)] {
        assert!(!client.has_blob("app", digest));
    }
    assert_eq!(large_files(&client, bytes.len()), Vec::<std::path::PathBuf>::new());
}

/// The offset that the status of an upload tells, as the number of bytes.
#[track_caller]
fn offset(client: &Client, location: &str) -> usize {
    let status = client.send(&get(location)).expect(204);
    let range = status.need("range");
    let end: usize =
        range.strip_prefix("0-").and_then(|e| e.parse().ok()).unwrap_or_else(|| panic!("Range: {range}"));
    end + 1
}

#[test]
fn content_range_that_skips_or_repeats() {
    let client = fresh();
    let bytes = blob("base");
    let location = client.open_upload("app");
    client
        .send(&patch(&location).header("Content-Range", "5-14").body(&bytes[5..15]))
        .refused(416, "BLOB_UPLOAD_INVALID");
    client.send(&patch(&location).header("Content-Range", "0-99").body(&bytes[..100])).expect(202);
    for from in [0, 50, 99, 101, 1_000_000] {
        for prefix in ["", "bytes "] {
            let range = format!("{prefix}{from}-{}", from + 9);
            let request = patch(&location).header("Content-Range", range).body([1; 10]);
            let answer = client.send(&request).refused(416, "BLOB_UPLOAD_INVALID");
            assert_eq!(answer.need("range"), "0-99");
            assert!(answer.need("location").starts_with("/v2/app/blobs/uploads/"));
            assert_eq!(offset(&client, &location), 100);
        }
    }
    client.send(&patch(&location).body(&bytes[100..])).expect(202);
    client.send(&put(closing(&location, &digest_of("base")))).expect(201);
}

#[test]
fn content_range_that_disagrees_with_content_length() {
    let client = fresh();
    let bytes = blob("base");
    let location = client.open_upload("app");
    client.send(&patch(&location).header("Content-Range", "0-99").body(&bytes[..100])).expect(202);
    for range in ["100-108", "100-110", "100-100", "109-100", "bytes 100-999"] {
        let request = patch(&location).header("Content-Range", range).body(&bytes[100..110]);
        let answer = client.send(&request);
        assert_eq!(answer.status, 416, "{range}: {answer}");
        assert_eq!(offset(&client, &location), 100, "{range} appended");
    }
    client.send(&put(closing(&location, &digest_of("base"))).body(&bytes[100..])).expect(201);
}

#[test]
fn content_range_that_cannot_be_read() {
    let client = fresh();
    let bytes = blob("base");
    let location = client.open_upload("app");
    client.send(&patch(&location).body(&bytes[..100])).expect(202);
    for range in ["abc", "100", "100-", "-109", "a-b", "100-109-120", "0x64-0x6d", "99999999999999999999-1"] {
        let request = patch(&location).header("Content-Range", range).body(&bytes[100..110]);
        client.send(&request).refused(400, "BLOB_UPLOAD_INVALID");
        assert_eq!(offset(&client, &location), 100, "{range} appended");
    }
    client.send(&put(closing(&location, &digest_of("base"))).body(&bytes[100..])).expect(201);
}

/// Pushes this body and demands the refusal; nothing may be there afterwards.
#[track_caller]
fn manifest_refused(client: &Client, kind: &str, body: &[u8], status: u16, code: &str) -> Answer {
    let mut connection = client.connect();
    let manifest = Manifest::raw(kind, body);
    for reference in ["bad", manifest.digest.as_str()] {
        let told = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
        let answer = connection.exchange(&put_manifest("app", reference, &manifest)).unwrap();
        assert_eq!((answer.status, answer.codes()[0].as_str()), (status, code), "{kind} {told}: {answer}");
        assert_eq!(connection.exchange(&get("/v2/")).unwrap().status, 200);
        assert!(!client.has_manifest("app", reference), "{kind} {told}");
    }
    client.send(&put_manifest("app", "bad", &manifest)).refused(status, code)
}

fn edited(manifest: &Manifest, edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut json = manifest.json();
    edit(&mut json);
    serde_json::to_vec(&json).unwrap()
}

#[test]
fn manifests_that_are_none() {
    let client = fresh();
    let app = image(["base"]);
    client.push_parts("app", &app);
    let config = app.json()["config"].clone();
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"not JSON".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"text\"".to_vec(),
        b"\xff\xfe".to_vec(),
        app.bytes[..app.bytes.len() - 1].to_vec(),
        [&app.bytes[..], b"{}"].concat(),
        edited(&app, |json| json["layers"] = json!("none")),
        edited(&app, |json| json["layers"] = json!([{"mediaType": "x/y", "size": 1}])),
        edited(&app, |json| json["layers"] = json!([7])),
        edited(&app, |json| json["layers"][0]["size"] = json!(-1)),
        edited(&app, |json| json["layers"][0]["size"] = json!("12")),
        edited(&app, |json| json["config"] = json!([])),
        edited(&app, |json| json["manifests"] = json!([])),
        edited(&app, |json| json["manifests"] = json!([config])),
        edited(&app, |json| json["schemaVersion"] = json!("two")),
    ];
    for body in bodies {
        manifest_refused(&client, OCI_MANIFEST, &body, 400, "MANIFEST_INVALID");
    }
    assert!(client.catalog().is_empty());
}

#[test]
fn digests_inside_a_manifest_are_checked() {
    let client = fresh();
    let app = image(["base"]);
    client.push_parts("app", &app);
    for digest in [
        "",
        "sha256:abc",
        "md5:0123456789abcdef0123456789abcdef",
        "../../../etc/passwd",
        "sha256:../../../../etc/passwd",
    ] {
        for place in ["/layers/0/digest", "/config/digest"] {
            let body = edited(&app, |json| *json.pointer_mut(place).unwrap() = json!(digest));
            let request = put("/v2/app/manifests/bad").header("Content-Type", OCI_MANIFEST).body(&body);
            let answer = client.send(&request).expect(400);
            assert!(["MANIFEST_INVALID", "DIGEST_INVALID"].contains(&answer.codes()[0].as_str()), "{answer}");
        }
        let body = edited(&app, |json| {
            json["subject"] = json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": 1});
        });
        client
            .send(&put("/v2/app/manifests/bad").header("Content-Type", OCI_MANIFEST).body(&body))
            .expect(400);
        assert!(!client.has_manifest("app", "bad"));
    }
}

#[test]
fn a_content_type_that_disagrees_with_the_media_type() {
    let client = fresh();
    let (oci, docker, list) = (image(["base"]), docker_image(["base"]), index([]));
    for manifest in [&oci, &docker] {
        client.push_parts("app", manifest);
    }
    for (kind, manifest) in [
        (DOCKER_MANIFEST, &oci),
        (OCI_INDEX, &oci),
        (OCI_MANIFEST, &docker),
        (DOCKER_LIST, &docker),
        (OCI_MANIFEST, &list),
        (DOCKER_LIST, &list),
        ("text/plain", &oci),
        ("application/vnd.oci.image.manifest.v1+json+x; charset=utf-8", &oci),
    ] {
        manifest_refused(&client, kind, &manifest.bytes, 400, "MANIFEST_INVALID");
    }
}

#[test]
fn a_manifest_pushed_under_another_digest() {
    let client = fresh();
    let app = image(["base"]);
    client.push_parts("app", &app);
    let other = digest_of("other");
    client.send(&put_manifest("app", &other, &app)).refused(400, "DIGEST_INVALID");
    client.send(&put_manifest("app", &format!("{other}?tag=1"), &app)).refused(400, "DIGEST_INVALID");
    for reference in [other.as_str(), app.digest.as_str(), "1"] {
        assert!(!client.has_manifest("app", reference));
    }
}

#[test]
fn schema_1_is_refused() {
    let client = fresh();
    let body =
        serde_json::to_vec(&json!({"schemaVersion": 1, "name": "app", "tag": "1", "architecture": "amd64",
        "fsLayers": [], "history": [], "signatures": []}))
        .unwrap();
    for kind in [
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.docker.distribution.manifest.v1+json",
    ] {
        let answer = client.send(&put("/v2/app/manifests/1").header("Content-Type", kind).body(&body));
        assert!((400..500).contains(&answer.status), "{answer}");
        assert!(!client.has_manifest("app", "1"));
    }
}

/// The digests that the errors of an answer tell, sorted; each must be MANIFEST_BLOB_UNKNOWN.
#[track_caller]
fn told_absent(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let errors = json["errors"].as_array().unwrap();
    assert!(errors.iter().all(|e| e["code"] == "MANIFEST_BLOB_UNKNOWN"), "{answer}");
    let mut digests: Vec<String> =
        errors.iter().map(|e| e["detail"]["digest"].as_str().unwrap().to_owned()).collect();
    digests.sort_unstable();
    digests
}

#[test]
fn absent_blobs_are_named_each() {
    let client = fresh();
    let app = image(["there", "gone", "lost", "gone"]);
    client.push_blob("app", &blob("there"));
    client.push_blob("elsewhere", &blob("gone"));
    let mut absent = vec![sha256_of(&app.blobs[0]), digest_of("gone"), digest_of("lost")];
    absent.sort_unstable();
    let answer = client.send(&put_manifest("app", "1", &app)).refused(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(told_absent(&answer), absent);
    assert!(!client.has_manifest("app", "1") && !client.has_manifest("app", &app.digest));
    assert!(client.catalog().is_empty());
    client.push("app", "1", &app);
}

#[test]
fn absent_children_are_named_each() {
    let client = fresh();
    let (there, gone, third) = (image(["there"]), image(["gone"]), image(["third"]));
    client.push("app", &there.digest, &there);
    client.push_parts("app", &gone);
    client.push("elsewhere", "1", &third);
    let list = index([there, gone.clone(), third.clone()]);
    let mut absent = vec![gone.digest, third.digest];
    absent.sort_unstable();
    let answer = client.send(&put_manifest("app", "list", &list)).refused(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(told_absent(&answer), absent);
    assert!(!client.has_manifest("app", "list"));
}

#[test]
fn absent_children_are_accepted_when_the_operator_says_so() {
    let client = running(Home::new().env("HOLDFAST_REGISTRY_ABSENT_CONTENT", "accept"));
    let sparse = index([image(["never"]), image(["pushed"])]);
    client.send(&put_manifest("app", "sparse", &sparse)).expect(201);
    assert_eq!(client.manifest("app", "sparse").body, sparse.bytes);
    client
        .send(&get(format!("/v2/app/manifests/{}", sparse.children[0].digest)))
        .refused(404, "MANIFEST_UNKNOWN");
}

#[test]
fn deep_json_is_refused() {
    let client = fresh();
    for depth in [2_000, 100_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let unclosed = "{\"a\":".repeat(depth);
        let inside =
            format!("{{\"schemaVersion\":2,\"mediaType\":\"{OCI_MANIFEST}\",\"annotations\":{nested}}}");
        for body in [nested, unclosed, inside] {
            manifest_refused(&client, OCI_MANIFEST, body.as_bytes(), 400, "MANIFEST_INVALID");
        }
    }
}

#[test]
fn a_manifest_over_the_limit_is_413_before_it_is_read() {
    let client = fresh();
    let mut connection = client.connect();
    let length = (4 * 1024 * 1024 + 1).to_string();
    let promised = request("PUT", "/v2/app/manifests/1")
        .header("Content-Type", OCI_MANIFEST)
        .header("Content-Length", length);
    connection.send_head(&promised).unwrap();
    connection.answer(false).expect("an answer before the body was sent").refused(413, "SIZE_INVALID");

    let mut connection = client.connect();
    let endless = request("PUT", "/v2/app/manifests/1")
        .header("Content-Type", OCI_MANIFEST)
        .header("Transfer-Encoding", "chunked");
    connection.send_head(&endless).unwrap();
    let answer = until_answered(&mut connection);
    answer.refused(413, "SIZE_INVALID");
    assert!(client.catalog().is_empty());
}

/// Sends chunks without end until the server has enough and answers.
fn until_answered(connection: &mut Connection) -> Answer {
    let piece = crate::testkit::client::chunk(&b" ".repeat(64 * 1024));
    for _ in 0..1024 {
        if connection.write(&piece).is_err() {
            break;
        }
    }
    connection.answer(false).expect("an answer to a body without end")
}

#[test]
fn the_limit_follows_its_setting() {
    let client = running(Home::new().env("HOLDFAST_REGISTRY_MANIFEST_BYTES_MAX", "100000"));
    let small = image(["base"]);
    assert!(small.bytes.len() < 100_000);
    client.push("app", "small", &small);
    let large = image(["base"]).annotated("padding", &"x".repeat(100_000));
    client.send(&put_manifest("app", "large", &large)).refused(413, "SIZE_INVALID");
    assert!(!client.has_manifest("app", "large"));
}

#[test]
fn a_wide_manifest_names_many_layers() {
    let client = fresh();
    let absent: Vec<Value> =
        (0..2_000).map(|n| descriptor("x/y", format!("absent {n}").as_bytes())).collect();
    let wide = image([]).edited(|json| {
        json.insert("layers".to_owned(), json!(absent));
    });
    client.push_parts("app", &wide);
    let answer = client.send(&put_manifest("app", "wide", &wide)).refused(400, "MANIFEST_BLOB_UNKNOWN");
    assert!(!told_absent(&answer).is_empty());
    assert!(!client.has_manifest("app", "wide"));
}
