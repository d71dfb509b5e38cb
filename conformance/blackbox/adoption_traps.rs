//! Stores with the traps that are met in the field: links to absent blobs, empty repositories, stray folders,
//! schema1, truncated links. The server serves what is whole, `rebuild` reports each odd thing and goes on.

use crate::testkit::client::{get, post};
use crate::testkit::disk::Layout;
use crate::testkit::image::{Manifest, blob, digest_of, docker_image, image, sha256_of};
use crate::testkit::server::{Home, Running, running};

const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

fn schema1() -> Manifest {
    let body = format!(
        "{{\n   \"schemaVersion\": 1,\n   \"name\": \"old/schema1\",\n   \"tag\": \"1\",\n   \"architecture\": \"amd64\",\n   \
         \"fsLayers\": [{{\"blobSum\": \"{}\"}}],\n   \"history\": [{{\"v1Compatibility\": \"{{}}\"}}]\n}}",
        digest_of("old")
    );
    Manifest::raw(SCHEMA1, body)
}

/// Each trap in a repository of its own, beside whole images in `good/app`. Gives what a report must name.
fn lay_traps(layout: &Layout) -> Vec<String> {
    let good = image(["base", "top"]);
    layout.manifest("good/app", &good);
    layout.tag_link("good/app", "1", &good.digest);
    layout.file("repositories/good/app/_uploads/3f2b7a52-8d1c-4a9e-9c3e-0f4b5a6c7d8e/data", "half an upload");
    layout.file(
        "repositories/good/app/_uploads/3f2b7a52-8d1c-4a9e-9c3e-0f4b5a6c7d8e/startedat",
        "2024-01-01T00:00:00Z",
    );

    // A layer link and a revision link whose bytes are gone; a tag that points at bytes that are gone.
    let gone = image(["gone"]);
    layout.layer_link("trap/absent-layer", &digest_of("absent layer"));
    layout.revision_link("trap/absent-revision", &gone.digest);
    layout.tag_link("trap/absent-tag", "1", &gone.digest);
    // A tag whose manifest has bytes but no revision link in this repository.
    let whole = docker_image(["base"]);
    layout.manifest("good/docker", &whole);
    layout.tag_link("good/docker", "1", &whole.digest);
    // Layers without any manifest; a repository with nothing in it; its folders only.
    layout.layer_link("trap/layers-only", &layout.data(&blob("lonely")));
    layout.folder("repositories/trap/empty");
    layout.folder("repositories/trap/empty-folders/_manifests/revisions/sha256");
    layout.folder("repositories/trap/empty-folders/_layers/sha256");
    // Strays of all kinds.
    layout.folder("repositories/good/lost+found");
    layout.file("repositories/good/app/.DS_Store", "stray");
    layout.file("repositories/BAD Name/_manifests/tags/1/current/link", &good.digest);
    layout.file("repositories/good/app/_manifests/tags/bad tag!/current/link", &good.digest);
    layout.folder("repositories/good/app/_manifests/tags/no-current");
    layout.folder("repositories/good/app/_manifests/revisions/sha256/not-hex");
    layout.folder("blobs/md5/ab");
    layout.file("blobs/sha256/zz/stray/data", "stray");
    // Link files that are empty, cut, or no digest at all.
    layout.file("repositories/trap/links/_manifests/tags/empty/current/link", "");
    layout.file("repositories/trap/links/_manifests/tags/cut/current/link", &good.digest[..40]);
    layout.file("repositories/trap/links/_manifests/tags/text/current/link", "hello");
    // A schema1 manifest, and one whose bytes are no manifest.
    let old = schema1();
    layout.data(&blob("old"));
    layout.layer_link("old/schema1", &digest_of("old"));
    layout.manifest("old/schema1", &old);
    layout.tag_link("old/schema1", "1", &old.digest);
    let nonsense = Manifest::raw("x/y", "this is no manifest");
    layout.manifest("trap/nonsense", &nonsense);
    layout.tag_link("trap/nonsense", "1", &nonsense.digest);
    // A manifest whose bytes were damaged on disk.
    let damaged = image(["damaged"]);
    layout.manifest("trap/damaged", &damaged);
    layout.tag_link("trap/damaged", "1", &damaged.digest);
    std::fs::write(layout.data_path(&damaged.digest), &damaged.bytes[..damaged.bytes.len() / 2]).unwrap();

    [
        "trap/absent-revision",
        "trap/absent-tag",
        "trap/absent-layer",
        "trap/links",
        "old/schema1",
        "trap/nonsense",
        "trap/damaged",
        "BAD Name",
        "bad tag!",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[track_caller]
fn serves_what_is_whole(client: &Running) {
    let good = image(["base", "top"]);
    assert_eq!(client.manifest("good/app", "1").body, good.bytes);
    assert_eq!(client.manifest("good/app", &good.digest).body, good.bytes);
    assert_eq!(client.tags("good/app"), ["1"]);
    for blob in &good.blobs {
        assert!(client.has_blob("good/app", &sha256_of(blob)));
    }
    assert_eq!(client.manifest("good/docker", "1").body, docker_image(["base"]).bytes);
    let catalog = client.catalog();
    for whole in ["good/app", "good/docker"] {
        assert!(catalog.contains(&whole.to_owned()), "{catalog:?}");
    }
    for trap in [
        "trap/absent-layer",
        "trap/absent-revision",
        "trap/empty",
        "trap/empty-folders",
        "trap/layers-only",
        "trap/nonsense",
    ] {
        assert!(!catalog.contains(&trap.to_owned()), "{trap} is in the catalog");
    }
    // What is not whole is absent, plainly: never a 5xx, never half of it.
    for (repo, reference) in [
        ("trap/absent-tag", "1".to_owned()),
        ("trap/absent-revision", image(["gone"]).digest),
        ("trap/links", "empty".to_owned()),
        ("trap/links", "cut".to_owned()),
        ("trap/links", "text".to_owned()),
        ("trap/nonsense", "1".to_owned()),
        ("trap/damaged", "1".to_owned()),
        ("trap/damaged", image(["damaged"]).digest),
    ] {
        client.send(&get(format!("/v2/{repo}/manifests/{reference}"))).refused(404, "MANIFEST_UNKNOWN");
    }
    let absent = digest_of("absent layer");
    client.send(&get(format!("/v2/trap/absent-layer/blobs/{absent}"))).refused(404, "BLOB_UNKNOWN");
    // Layers without a manifest can still be pulled and mounted, as registry:2 lets them.
    assert!(client.has_blob("trap/layers-only", &digest_of("lonely")));
    let mount = format!("/v2/good/app/blobs/uploads/?mount={}&from=trap/layers-only", digest_of("lonely"));
    client.send(&post(mount)).expect(201);
}

#[track_caller]
fn can_be_healed(client: &Running) {
    client.push("trap/absent-tag", "1", &image(["gone"]));
    client.push("trap/links", "cut", &image(["base"]));
    client.push("trap/damaged", "1", &image(["damaged"]));
    client.push_blob("trap/absent-layer", &blob("absent layer"));
    assert_eq!(client.manifest("trap/absent-tag", "1").body, image(["gone"]).bytes);
    assert_eq!(client.manifest("trap/damaged", "1").body, image(["damaged"]).bytes);
    assert_eq!(client.tags("trap/links"), ["cut"]);
}

#[test]
fn a_first_start_passes_over_the_traps() {
    let home = Home::new();
    lay_traps(&Layout(home.registry()));
    let client = running(home);
    serves_what_is_whole(&client);
    can_be_healed(&client);
}

#[test]
fn a_rebuild_reports_each_odd_thing_and_goes_on() {
    let home = Home::new();
    let named = lay_traps(&Layout(home.registry()));
    let output = home.rebuild();
    let report =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{report}");
    let missing: Vec<&String> = named.iter().filter(|name| !report.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "the report does not name {missing:?}:\n{report}");
    assert!(!report.contains("good/docker"), "a whole image is reported as odd:\n{report}");
    let client = running(home);
    serves_what_is_whole(&client);
}

#[test]
fn a_rebuild_changes_nothing_in_storage() {
    let home = Home::new();
    lay_traps(&Layout(home.registry()));
    let content = |home: &Home| -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let all = crate::testkit::disk::files(&home.registry());
        all.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    };
    let before = content(&home);
    assert!(home.rebuild().status.success());
    assert_eq!(content(&home), before);
}

#[test]
fn an_empty_store_is_fine() {
    let home = Home::new();
    let output = home.rebuild();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let client = running(home);
    assert!(client.catalog().is_empty());
}
