//! Manifests: by tag, by digest, with many tags at once; Docker and OCI kinds byte for byte; artifacts, empty
//! and foreign layers, indexes in indexes. It must not know referrers: those are in referrers.rs.

use crate::testkit::client::{get, put};
use crate::testkit::disk::Layout;
use crate::testkit::image::{
    DOCKER_LIST, DOCKER_MANIFEST, Manifest, OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, artifact, blob,
    descriptor, docker_image, docker_list, image, index, sha512_of,
};
use crate::testkit::push::put_manifest;
use crate::testkit::server::fresh;
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn a_push_by_tag_answers_with_the_digest() {
    let client = fresh();
    let app = image(["base", "top"]);
    let done = client.push("team/app", "1", &app);
    assert_eq!(done.need("docker-content-digest"), app.digest);
    assert!(done.header("oci-subject").is_none());
    assert_eq!(client.send(&get(done.need("location"))).expect(200).body, app.bytes);
}

#[test]
fn a_push_by_digest_makes_no_tag() {
    let client = fresh();
    let app = image(["base"]);
    client.push("app", &app.digest, &app);
    assert!(client.has_manifest("app", &app.digest));
    assert!(client.tags("app").is_empty());
}

#[test]
fn a_push_by_digest_takes_many_tags() {
    let client = fresh();
    let app = image(["base"]);
    client.push_parts("app", &app);
    let tags: Vec<String> = (1..=14).map(|n| format!("1.{n}")).collect();
    let query = tags.iter().map(|t| format!("tag={t}")).collect::<Vec<_>>().join("&");
    let done = client.send(&put_manifest("app", &format!("{}?{query}", app.digest), &app)).expect(201);
    let told: BTreeSet<String> = done.members("oci-tag").into_iter().collect();
    assert_eq!(told, tags.iter().cloned().collect());
    for tag in &tags {
        assert_eq!(client.manifest("app", tag).need("docker-content-digest"), app.digest);
    }
}

#[test]
fn one_bad_tag_among_many_stores_nothing() {
    let client = fresh();
    let app = image(["base"]);
    client.push_parts("app", &app);
    let path = format!("{}?tag=good&tag=-bad&tag=fine", app.digest);
    client.send(&put_manifest("app", &path, &app)).refused(400, "MANIFEST_INVALID");
    for reference in ["good", "fine", app.digest.as_str()] {
        assert!(!client.has_manifest("app", reference), "{reference} was stored");
    }
}

#[test]
fn a_tag_moves_and_the_old_manifest_stays() {
    let client = fresh();
    let (old, new) = (image(["base"]), image(["base", "top"]));
    client.push("app", "latest", &old);
    client.push("app", "latest", &new);
    assert_eq!(client.manifest("app", "latest").body, new.bytes);
    assert_eq!(client.manifest("app", &old.digest).body, old.bytes);
    let layout = Layout(client.home.registry());
    assert_eq!(layout.tag_target("app", "latest"), Some(new.digest.clone()));
    client.push("app", "latest", &old);
    assert_eq!(client.manifest("app", "latest").body, old.bytes);
}

#[test]
fn every_kind_comes_back_byte_for_byte() {
    let client = fresh();
    let kinds = [
        (OCI_MANIFEST, image(["base"])),
        (DOCKER_MANIFEST, docker_image(["base"])),
        (OCI_INDEX, index([image(["a"]), image(["b"])])),
        (DOCKER_LIST, docker_list([docker_image(["a"]), docker_image(["b"])])),
        (OCI_MANIFEST, artifact("application/vnd.example.sbom", "sbom")),
    ];
    for (at, (kind, manifest)) in kinds.iter().enumerate() {
        let tag = format!("kind-{at}");
        client.push("app", &tag, manifest);
        for reference in [tag.as_str(), manifest.digest.as_str()] {
            let answer = client.manifest("app", reference);
            assert_eq!((answer.need("content-type"), &answer.body), (*kind, &manifest.bytes));
        }
    }
}

/// The same JSON written oddly: spaces, line ends, escapes, an unknown field, keys in another order.
fn written_oddly(manifest: &Manifest) -> Vec<Manifest> {
    let plain = String::from_utf8(manifest.bytes.clone()).unwrap();
    let pretty = serde_json::to_string_pretty(&manifest.json()).unwrap();
    let kind = &manifest.media_type;
    let forms = [
        pretty.replace("  ", "   "),
        pretty.replace('\n', "\r\n"),
        format!("\n\t {plain} \r\n\n"),
        plain.replacen('{', "{\"zz\\u0041unknown\": [1.50, 1e3, null, {\"ü\": \"\\u00fc/\\/\"}], ", 1),
        plain.replacen("\"schemaVersion\":2", "\"schemaVersion\" :\t2", 1),
    ];
    forms
        .into_iter()
        .map(|text| Manifest { blobs: manifest.blobs.clone(), ..Manifest::raw(kind, text) })
        .collect()
}

#[test]
fn odd_whitespace_is_kept() {
    let client = fresh();
    for manifest in [image(["base"]), docker_image(["base"])] {
        for (at, odd) in written_oddly(&manifest).iter().enumerate() {
            assert_ne!(odd.digest, manifest.digest, "form {at} is not odd");
            let done = client.push("app", "odd", odd);
            assert_eq!(done.need("docker-content-digest"), odd.digest);
            assert_eq!(client.manifest("app", "odd").body, odd.bytes);
        }
    }
}

#[test]
fn parameters_of_the_content_type_are_ignored() {
    let client = fresh();
    let app = image(["base"]);
    client.push_parts("app", &app);
    let kind = format!("{OCI_MANIFEST}; charset=utf-8");
    client.send(&put("/v2/app/manifests/1").header("Content-Type", kind).body(&app.bytes)).expect(201);
    assert_eq!(client.manifest("app", "1").need("content-type"), OCI_MANIFEST);
}

#[test]
fn a_content_type_that_says_nothing_leaves_it_to_the_bytes() {
    let client = fresh();
    let (app, list) = (docker_image(["base"]), index([image(["a"])]));
    client.push_parts("app", &app);
    client.push_parts("app", &list);
    for kind in ["application/json", "application/octet-stream"] {
        for manifest in [&app, &list] {
            client
                .send(&put("/v2/app/manifests/1").header("Content-Type", kind).body(&manifest.bytes))
                .expect(201);
            assert_eq!(client.manifest("app", "1").need("content-type"), manifest.media_type);
        }
    }
}

#[test]
fn a_manifest_without_media_type_is_what_its_content_type_says() {
    let client = fresh();
    let app = image(["base"]).edited(|json| {
        json.remove("mediaType");
    });
    client.push("app", "1", &app);
    let list = index([app.clone()]).edited(|json| {
        json.remove("mediaType");
    });
    client.push("app", "list", &list);
    assert_eq!(client.manifest("app", "1").need("content-type"), OCI_MANIFEST);
    assert_eq!(client.manifest("app", "list").need("content-type"), OCI_INDEX);
}

#[test]
fn a_manifest_may_be_chunked() {
    let client = fresh();
    let app = image(["base"]);
    client.push_parts("app", &app);
    let request = put("/v2/app/manifests/1").header("Content-Type", OCI_MANIFEST).chunked(&app.bytes, 10);
    client.send(&request).expect(201);
    assert_eq!(client.manifest("app", "1").body, app.bytes);
}

#[test]
fn an_empty_list_of_layers_is_fine() {
    let client = fresh();
    let empty = image([]);
    client.push("app", "empty", &empty);
    assert_eq!(client.manifest("app", "empty").body, empty.bytes);
    let nothing = index([]);
    client.push("app", "nothing", &nothing);
    assert_eq!(client.manifest("app", "nothing").body, nothing.bytes);
}

#[test]
fn layers_that_are_not_to_be_distributed_need_not_be_pushed() {
    let client = fresh();
    for (at, kind) in [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ]
    .iter()
    .enumerate()
    {
        let base = if at == 0 { docker_image(["base"]) } else { image(["base"]) };
        let mut foreign = descriptor(kind, &blob("foreign"));
        foreign["urls"] = json!(["https://example.test/foreign.tar.gz"]);
        let app = base.edited(|json| {
            json["layers"].as_array_mut().unwrap().insert(0, foreign);
        });
        client.push("app", &format!("foreign-{at}"), &app);
        assert_eq!(client.manifest("app", &app.digest).body, app.bytes);
    }
}

#[test]
fn a_layer_that_is_listed_twice_is_fine() {
    let client = fresh();
    let app = image(["base", "empty", "empty", "top", "empty"]);
    client.push("app", "1", &app);
    assert_eq!(client.manifest("app", "1").body, app.bytes);
}

#[test]
fn an_index_may_hold_indexes() {
    let client = fresh();
    let inner = index([image(["a"]), image(["b"])]);
    let middle = index([inner.clone(), docker_image(["c"])]);
    let outer = index([middle.clone(), image(["d"])]);
    client.push("app", "outer", &outer);
    for manifest in [&outer, &middle, &inner, &image(["a"]), &docker_image(["c"])] {
        assert_eq!(client.manifest("app", &manifest.digest).body, manifest.bytes);
    }
}

#[test]
fn an_artifact_of_the_empty_descriptor_alone() {
    let client = fresh();
    let empty = descriptor(OCI_EMPTY, b"{}");
    let json = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.example.note",
        "config": empty, "layers": [empty], "annotations": {"note": "nothing else"}});
    let note = Manifest { blobs: vec![b"{}".to_vec()], ..Manifest::of(&json) };
    client.push("app", "note", &note);
    assert_eq!(client.manifest("app", "note").body, note.bytes);
}

#[test]
fn a_manifest_by_its_sha512_digest() {
    let client = fresh();
    let app = image(["base"]);
    client.push_parts("app", &app);
    let digest = sha512_of(&app.bytes);
    let done = client.send(&put_manifest("app", &digest, &app)).expect(201);
    assert_eq!(done.need("docker-content-digest"), digest);
    assert_eq!(client.manifest("app", &digest).body, app.bytes);
}

#[test]
fn a_layer_named_by_its_sha512_digest() {
    let client = fresh();
    let bytes = blob("wide");
    let digest = sha512_of(&bytes);
    client
        .send(&crate::testkit::client::post(format!("/v2/app/blobs/uploads/?digest={digest}")).body(&bytes))
        .expect(201);
    let app = image(["base"]).edited(|json| {
        json["layers"] = json!([{"mediaType": OCI_LAYER, "digest": digest, "size": bytes.len()}]);
    });
    client.push("app", "wide", &app);
    assert_eq!(client.manifest("app", "wide").body, app.bytes);
}

#[test]
fn a_manifest_of_exactly_the_limit_is_taken() {
    let client = fresh();
    let limit = 4 * 1024 * 1024;
    let bare = image(["base"]).annotated("padding", "");
    let full = image(["base"]).annotated("padding", &"x".repeat(limit - bare.bytes.len()));
    assert_eq!(full.bytes.len(), limit);
    client.push("app", "full", &full);
    assert_eq!(client.manifest("app", "full").body, full.bytes);
}

#[test]
fn the_same_manifest_twice_is_no_error() {
    let client = fresh();
    let app = image(["base"]);
    for tag in ["1", "1", "2"] {
        client.push("app", tag, &app);
    }
    assert_eq!(client.tags("app"), ["1", "2"]);
}
