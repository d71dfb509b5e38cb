//! `holdfast ls` against the program's own server: names, what they hold, order, choice and the forms of the answer.
//! It must not know how other registries differ: see `foreign_lists`.

use crate::testkit::image::{
    Manifest, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, artifact, blob, descriptor, digest_of, docker_image,
    image, index,
};
use crate::testkit::push::put_manifest;
use crate::testkit::server::{Running, fresh};
use crate::testkit::tool::{Ran, Tool};
use serde_json::json;

/// An image of one layer that was made then.
fn made(created: &str, layer: &[u8]) -> Manifest {
    let config = serde_json::to_vec(&json!({"created": created, "os": "linux", "architecture": "arm64",
        "variant": "v8", "rootfs": {"type": "layers", "diff_ids": []}}))
    .unwrap();
    let json = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(OCI_CONFIG, &config),
        "layers": [descriptor(OCI_LAYER, layer)]});
    Manifest { blobs: vec![config, layer.to_vec()], ..Manifest::of(&json) }
}

fn url(server: &Running) -> String {
    format!("http://{}", server.addr)
}

#[track_caller]
fn ls(server: &Running, arguments: &[&str]) -> Ran {
    let url = url(server);
    Tool::new().run(&[&["ls", "--server", &url], arguments].concat())
}

fn team() -> Running {
    let server = fresh();
    server.push("team/app", "1.9", &made("2026-01-02T00:00:00Z", &[1; 10]));
    server.push("team/app", "1.10", &made("2026-01-03T00:00:00Z", &[2; 5000]));
    server.push("team/app", "old", &made("2025-12-31T23:00:00-02:00", &[3; 300]));
    server.push("team/app/sub", "1", &image(["base"]));
    server.push("other", "latest", &image(["base", "top"]));
    server
}

#[test]
fn repositories_one_a_line_and_in_json() {
    let server = team();
    assert_eq!(ls(&server, &[]).fine().lines(), ["other", "team/app", "team/app/sub"]);
    let json = ls(&server, &["--json"]).fine().json();
    assert_eq!(json, json!({"repositories": ["other", "team/app", "team/app/sub"]}));
    let rows = ls(&server, &["--level", "1", "--json"]).fine().json();
    assert_eq!(
        rows,
        json!({"repositories": [{"repository": "other", "tags": ["latest"]},
            {"repository": "team/app", "tags": ["1.10", "1.9", "old"]},
            {"repository": "team/app/sub", "tags": ["1"]}]})
    );
    let table = ls(&server, &["-l1"]).fine();
    assert_eq!(
        table.lines()[2].split_whitespace().collect::<Vec<_>>(),
        ["team/app", "3", "1.10", "1.9", "old"]
    );
}

#[test]
fn tags_one_a_line_and_in_json() {
    let server = team();
    assert_eq!(ls(&server, &["team/app"]).fine().lines(), ["1.10", "1.9", "old"]);
    let json = ls(&server, &["team/app", "--json"]).fine().json();
    assert_eq!(json, json!({"repository": "team/app", "tags": ["1.10", "1.9", "old"]}));
}

#[test]
fn a_host_before_the_name_says_which_registry() {
    let server = team();
    let tool = Tool::new();
    let host = server.addr.to_string();
    assert_eq!(tool.run(&["ls", &format!("{host}/team/app")]).fine().lines(), ["1.10", "1.9", "old"]);
    assert_eq!(tool.run(&["ls", &format!("{host}/")]).fine().lines().len(), 3);
    let url = url(&server);
    assert_eq!(tool.run(&["ls", "--server", &url, &format!("{host}/other")]).fine().lines(), ["latest"]);
}

#[test]
fn what_tags_mean_is_told_with_them() {
    let server = fresh();
    let made = made("2026-01-02T03:04:05Z", &[7; 1000]);
    let two = index([image(["base"]), image(["base", "top"])]);
    let sbom = artifact("application/vnd.example.sbom", "sbom");
    let docker = docker_image(["base"]);
    for (tag, manifest) in [("image", &made), ("index", &two), ("artifact", &sbom), ("docker", &docker)] {
        server.push("app", tag, manifest);
    }
    let json = ls(&server, &["app", "--level=1", "--json"]).fine().json();
    let row = |tag: &str| {
        json["tags"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["tag"] == tag)
            .unwrap_or_else(|| panic!("{tag}: {json}"))
    };
    assert_eq!(
        *row("image"),
        json!({"tag": "image", "digest": made.digest, "media_type": OCI_MANIFEST, "kind": "image",
            "platforms": ["linux/arm64/v8"], "created": "2026-01-02T03:04:05Z",
            "size_bytes": made.bytes.len() + made.blobs[0].len() + 1000,
            "layers": [{"digest": made.json()["layers"][0]["digest"], "media_type": OCI_LAYER, "size_bytes": 1000}]})
    );
    let whole = |children: &[Manifest]| {
        let mut all: Vec<Vec<u8>> =
            children.iter().flat_map(|c| c.blobs.iter().cloned().chain([c.bytes.clone()])).collect();
        all.sort();
        all.dedup();
        all.iter().map(Vec::len).sum::<usize>()
    };
    let listed = row("index");
    assert_eq!(
        (&listed["kind"], &listed["platforms"]),
        (&json!("index"), &json!(["linux/amd64", "linux/arm64"]))
    );
    assert_eq!(
        listed["size_bytes"],
        json!(two.bytes.len() + whole(&two.children)),
        "what they share counts once"
    );
    assert_eq!(row("artifact")["kind"], "artifact");
    assert_eq!(row("artifact")["artifact_type"], "application/vnd.example.sbom");
    assert_eq!((&row("docker")["kind"], &row("docker")["digest"]), (&json!("image"), &json!(docker.digest)));
    let table = ls(&server, &["app", "-l", "1"]).fine();
    assert!(table.lines()[0].starts_with("TAG"), "{table:?}");
    let told = ["image", "linux/arm64/v8", "2026-01-02 03:04:05 UTC", &made.digest];
    assert!(
        told.iter()
            .all(|word| table.lines().iter().any(|line| line.starts_with("image ") && line.contains(word)))
    );
}

#[test]
fn lists_are_sorted_turned_and_filtered() {
    let server = team();
    for (arguments, expected) in [
        (&["team/app", "--sort", "name"][..], &["1.10", "1.9", "old"][..]),
        (&["team/app", "--sort", "created"], &["1.10", "1.9", "old"]),
        (&["team/app", "--sort", "created", "--reverse"], &["old", "1.9", "1.10"]),
        (&["team/app", "--sort", "size"], &["1.10", "old", "1.9"]),
        (&["team/app", "--filter", "1."], &["1.10", "1.9"]),
        (&["team/app", "--filter", "1.?"], &["1.9"]),
        (&["--filter", "team/*"], &["team/app"]),
        (&["--filter", "team/**", "--reverse"], &["team/app/sub", "team/app"]),
        (&["--filter", "nothing"], &[]),
    ] {
        assert_eq!(ls(&server, arguments).fine().lines(), expected, "{arguments:?}");
    }
    let rows = ls(&server, &["team/app", "-l1", "--sort", "size", "--json"]).fine().json();
    assert_eq!(rows["tags"][0]["tag"], "1.10");
}

#[test]
fn pages_are_put_together() {
    let server = fresh();
    let one = image(["base"]);
    server.push_parts("app", &one);
    let mut tags: Vec<String> = (0..25).map(|n| format!("t{n}")).collect();
    for tag in &tags {
        server.send(&put_manifest("app", tag, &one)).expect(201);
    }
    tags.sort();
    let ran = ls(&server, &["app", "--page-size", "4", "--statistics", "--verbose"]).fine();
    assert_eq!(ran.lines(), tags);
    assert!(ran.stderr.contains("7 requests, "), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("GET http://") && ran.stderr.contains("/v2/app/tags/list?n=4"),
        "{}",
        ran.stderr
    );
    // The same manifest under 25 tags is looked into once.
    let ran = ls(&server, &["app", "-l1", "--statistics", "--max-requests", "1"]).fine();
    assert!(
        ran.stderr.contains("27 requests, "),
        "one list, 25 manifests, one configuration: {}",
        ran.stderr
    );
}

#[test]
fn what_is_not_there_is_told_and_fails() {
    let server = team();
    ls(&server, &["nope"]).fails(1, &["there is no repository nope"]);
    let ran = ls(&fresh(), &[]).fine();
    assert!(ran.stdout.is_empty() && ran.stderr.contains("no repositories"), "{ran:?}");
}

#[test]
fn what_makes_no_sense_is_a_mistake_in_the_arguments() {
    let server = team();
    ls(&server, &["team/app:1.9"]).fails(2, &["holdfast inspect team/app:1.9"]);
    ls(&server, &[&format!("team/app@{}", digest_of("base"))]).fails(2, &["holdfast inspect"]);
    ls(&server, &["--sort", "size"]).fails(2, &["repositories have no age or size"]);
    ls(&server, &["r.example.com/"]).fails(2, &["another registry"]);
    ls(&server, &["Team/App"]).fails(2, &["repository name"]);
    ls(&server, &["--level", "2"]).fails(2, &[]);
    ls(&server, &["--page-size", "0"]).fails(2, &[]);
    ls(&server, &["--password-stdin"]).fails(2, &["--user"]);
    let tool = Tool::new();
    tool.run(&["ls", "--server", "https://ana:geheim@r.example.com"]).fails(2, &["--password-stdin"]);
    tool.run(&["ls", "--server", "ftp://r"]).fails(2, &["https://"]);
    tool.run(&["ls", "docker.io/"]).fails(2, &["does not list its repositories"]);
}

#[test]
fn a_layer_is_not_fetched_for_a_list() {
    let server = fresh();
    server.push("app", "1", &image(["base"]));
    let ran = ls(&server, &["app", "-l1", "-v"]).fine();
    assert!(!ran.stderr.contains(&digest_of("base")), "{}", ran.stderr);
    assert!(blob("base").len() > 100);
}
