//! Adoption of a store that registry:2 left behind: a first start serves it, and `rebuild` derives the same
//! answers from storage alone. The store is written by hand from the published layout.
//! Damaged stores are in adoption_traps.rs.

use crate::testkit::client::get;
use crate::testkit::disk::Layout;
use crate::testkit::image::{
    DOCKER_LIST, DOCKER_MANIFEST, Manifest, OCI_INDEX, OCI_MANIFEST, artifact, docker_image, docker_list,
    image, index, sha256_of,
};
use crate::testkit::server::{Home, Server};
use serde_json::json;
use std::collections::BTreeSet;

const SBOM: &str = "application/vnd.example.sbom";

/// Everything of a good old store, drawn: (repository, tag, kind, manifest).
fn drawing() -> Vec<(&'static str, &'static str, &'static str, Manifest)> {
    let app = image(["base", "top"]);
    vec![
        ("team/app", "1", OCI_MANIFEST, app.clone()),
        ("team/app", "docker", DOCKER_MANIFEST, docker_image(["base", "old"])),
        ("team/app", "multi", DOCKER_LIST, docker_list([docker_image(["base"]), docker_image(["arm"])])),
        ("team/app", "oci-multi", OCI_INDEX, index([image(["base"]), image(["arm"])])),
        ("team/app", "sbom", OCI_MANIFEST, artifact(SBOM, "sbom").about(&app)),
        ("library/tool", "latest", DOCKER_MANIFEST, docker_image(["base"])),
        ("library/tool", "Latest_2.0-rc", DOCKER_MANIFEST, docker_image(["base"])),
        (
            "plain",
            "no-media-type",
            OCI_MANIFEST,
            image(["base"]).edited(|json| drop(json.remove("mediaType"))),
        ),
        (
            "plain",
            "no-media-type-index",
            OCI_INDEX,
            index([image(["a"])]).edited(|json| drop(json.remove("mediaType"))),
        ),
        ("plain", "pretty", DOCKER_MANIFEST, pretty(&docker_image(["base"]))),
    ]
}

fn pretty(manifest: &Manifest) -> Manifest {
    let text = serde_json::to_string_pretty(&manifest.json()).unwrap().replace("  ", "   ");
    Manifest { blobs: manifest.blobs.clone(), ..Manifest::raw(&manifest.media_type, text) }
}

/// A home whose storage holds the drawing and whose metadata was never made.
fn old_store() -> Home {
    let home = Home::new();
    let layout = Layout(home.registry());
    for (repo, tag, _, manifest) in drawing() {
        layout.manifest(repo, &manifest);
        layout.tag_link(repo, tag, &manifest.digest);
    }
    home
}

#[track_caller]
fn serves_the_drawing(server: &Server) {
    let client = server.client();
    let repositories: BTreeSet<String> = drawing().iter().map(|(repo, ..)| (*repo).to_owned()).collect();
    assert_eq!(client.catalog(), repositories.into_iter().collect::<Vec<_>>());
    for (repo, tag, kind, manifest) in drawing() {
        assert!(client.tags(repo).contains(&tag.to_owned()), "{repo}:{tag}");
        for reference in [tag, manifest.digest.as_str()] {
            let answer = client.manifest(repo, reference);
            assert_eq!(answer.body, manifest.bytes, "{repo}:{reference}");
            assert_eq!(answer.need("content-type"), kind, "{repo}:{reference}");
            assert_eq!(answer.need("docker-content-digest"), manifest.digest);
        }
        for child in &manifest.children {
            assert_eq!(client.manifest(repo, &child.digest).body, child.bytes);
        }
        for blob in manifest.blobs.iter().chain(manifest.children.iter().flat_map(|child| &child.blobs)) {
            let answer = client.send(&get(format!("/v2/{repo}/blobs/{}", sha256_of(blob)))).expect(200);
            assert_eq!(&answer.body, blob);
        }
    }
    let app = image(["base", "top"]);
    let listed = client.referrers("team/app", &app.digest);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["artifactType"], json!(SBOM));
}

#[test]
fn a_first_start_serves_what_is_there() {
    for engine in ["sled", "redb"] {
        let home = old_store().env("HOLDFAST_METADATA_ENGINE", engine);
        let server = home.start();
        serves_the_drawing(&server);
        let client = server.client();
        client.push("team/app", "new", &image(["base", "new"]));
        server.stop();
        let server = home.start();
        assert!(server.client().has_manifest("team/app", "new"));
    }
}

#[test]
fn a_store_at_another_root_is_adopted_in_place() {
    let old = old_store();
    let root = old.data().join("registry").display().to_string();
    let home = Home::new().env("HOLDFAST_STORAGE_FILESYSTEM_ROOT", &root);
    let server = home.start();
    serves_the_drawing(&server);
    server.client().push("library/tool", "added", &image(["added"]));
    let layout = Layout(old.registry());
    assert_eq!(layout.tag_target("library/tool", "added"), Some(image(["added"]).digest));
}

#[test]
fn a_rebuild_makes_the_same_answers_again() {
    for engine in ["sled", "redb"] {
        let home = old_store().env("HOLDFAST_METADATA_ENGINE", engine);
        let output = home.rebuild();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let server = home.start();
        serves_the_drawing(&server);
        server.stop();
        std::fs::remove_dir_all(home.data().join("metadata")).unwrap();
        let output = home.rebuild();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serves_the_drawing(&home.start());
    }
}

#[test]
fn metadata_that_is_lost_comes_back_by_itself() {
    let home = old_store();
    let server = home.start();
    server.client().push("after", "1", &image(["after"]));
    server.client().send(&crate::testkit::client::delete("/v2/after/manifests/1")).expect(202);
    server.client().push("after", "2", &image(["after"]));
    server.client().send(&crate::testkit::client::delete("/v2/library/tool/manifests/latest")).expect(202);
    server.stop();
    std::fs::remove_dir_all(home.data().join("metadata")).unwrap();
    let server = home.start();
    let client = server.client();
    assert_eq!(client.tags("after"), ["2"]);
    assert_eq!(client.tags("library/tool"), ["Latest_2.0-rc"]);
    assert_eq!(client.catalog(), ["after", "library/tool", "plain", "team/app"]);
}

#[test]
fn metadata_that_is_garbage_is_moved_aside_and_made_again() {
    let home = old_store();
    let server = home.start();
    server.client().push("after", "1", &image(["after"]));
    server.stop();
    let metadata = home.data().join("metadata");
    let damaged = crate::testkit::disk::files(&metadata);
    assert!(!damaged.is_empty());
    for file in &damaged {
        let length = file.metadata().unwrap().len();
        std::fs::write(file, vec![0xA5; usize::try_from(length).unwrap()]).unwrap();
    }
    let server = home.start();
    serves_after(&server);
    let kept = crate::testkit::disk::files(home.data())
        .iter()
        .filter(|path| !path.starts_with(home.data().join("registry")))
        .any(|path| {
            std::fs::read(path).is_ok_and(|bytes| bytes.len() > 64 && bytes.iter().all(|b| *b == 0xA5))
        });
    assert!(kept, "what could not be opened was deleted instead of moved aside");
}

#[track_caller]
fn serves_after(server: &Server) {
    let client = server.client();
    assert_eq!(client.catalog(), ["after", "library/tool", "plain", "team/app"]);
    assert!(client.has_manifest("after", "1"));
}

#[test]
fn readiness_tells_of_a_rebuild_until_it_is_done() {
    let home = Home::new();
    let layout = Layout(home.registry());
    for at in 0..400 {
        let app = image(["base"]).annotated("at", &at.to_string());
        layout.manifest(&format!("many/app-{at}"), &app);
        layout.tag_link(&format!("many/app-{at}"), "1", &app.digest);
    }
    let server = home.start_unready();
    let client = server.client();
    // Whether this first look comes before the rebuild ends is chance; both answers have one right form.
    let first = client.send(&get("/readyz"));
    match first.status {
        200 => {}
        503 => assert!(first.json().is_object(), "{first}"),
        _ => panic!("{first}"),
    }
    let early = client.send(&get("/v2/_catalog?n=1000"));
    if early.status == 503 {
        assert_eq!(early.codes(), ["UNAVAILABLE"]);
        assert!(early.header("retry-after").is_some(), "{early}");
    } else {
        early.expect(200);
    }
    client.send(&get("/healthz")).expect(200);
    server.wait_ready();
    assert_eq!(client.catalog().len(), 400);
}
