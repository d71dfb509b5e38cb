//! `holdfast inspect` against the program's own server: every fact of an image, for people, for scripts and byte for byte.

use crate::testkit::image::{
    Manifest, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, artifact, blob, descriptor, digest_of, image,
    index,
};
use crate::testkit::server::{Running, fresh};
use crate::testkit::tool::{Ran, Tool};
use serde_json::json;

/// An image with everything that a configuration can tell.
fn told() -> Manifest {
    let config = json!({"created": "2026-01-02T03:04:05Z", "author": "Ana", "os": "linux", "architecture": "amd64",
        "config": {"User": "app", "Env": ["PATH=/bin"], "Entrypoint": ["/app", "a b"], "Cmd": ["--fast"],
            "WorkingDir": "/srv", "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}},
            "Labels": {"team": "blue\u{1b}[31m"}, "StopSignal": "SIGINT"},
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "ADD base"},
            {"created_by": "ENV PATH=/bin", "empty_layer": true}, {"created_by": "COPY top\n\t/", "comment": "buildkit"}]});
    let config = serde_json::to_vec(&config).unwrap();
    let layers = [blob("base"), blob("top")];
    let json = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(OCI_CONFIG, &config),
        "layers": layers.iter().map(|layer| descriptor(OCI_LAYER, layer)).collect::<Vec<_>>(),
        "annotations": {"org.example.note": "hello"}});
    let [base, top] = layers;
    Manifest { blobs: vec![config, base, top], ..Manifest::of(&json) }
}

#[track_caller]
fn inspect(server: &Running, arguments: &[&str]) -> Ran {
    let url = format!("http://{}", server.addr);
    Tool::new().run(&[&["inspect", "--server", &url], arguments].concat())
}

#[test]
fn an_image_is_told_to_people() {
    let server = fresh();
    let told = told();
    server.push("app", "1", &told);
    let ran = inspect(&server, &["app:1", "--history"]).fine();
    for fact in [
        "app:1",
        &told.digest,
        OCI_MANIFEST,
        "linux/amd64",
        "2026-01-02 03:04:05 UTC",
        "Ana",
        "/app 'a b'",
        "--fast",
        "/srv",
        "80/tcp",
        "/data",
        "SIGINT",
        "PATH=/bin",
        "team = blue",
        "org.example.note = hello",
        &digest_of("base"),
        "ADD base",
        "COPY top / (buildkit)",
    ] {
        assert!(ran.stdout.contains(fact), "no {fact:?} in:\n{}", ran.stdout);
    }
    assert!(!ran.stdout.contains('\u{1b}'), "a label steers the terminal");
    let line = |what: &str| ran.lines().into_iter().find(|line| line.contains(what)).unwrap().to_owned();
    assert!(line("ADD base").contains(&format!("{} B", blob("base").len())), "{}", ran.stdout);
    assert!(line("ENV PATH=/bin").contains('-'), "a step without a layer has no size");
    let without = inspect(&server, &["app:1"]).fine();
    assert!(!without.stdout.contains("ADD base"));
}

#[test]
fn an_image_is_told_to_scripts() {
    let server = fresh();
    let told = told();
    server.push("app", "1", &told);
    let ran = inspect(&server, &["app:1", "--json"]).fine();
    assert!(!ran.stdout.contains('\u{1b}'), "JSON steers the terminal");
    let json = ran.json();
    assert_eq!(json["reference"], "app:1");
    assert_eq!((&json["repository"], &json["tag"]), (&json!("app"), &json!("1")));
    assert_eq!((&json["digest"], &json["media_type"]), (&json!(told.digest), &json!(OCI_MANIFEST)));
    assert_eq!((&json["kind"], &json["manifest_bytes"]), (&json!("image"), &json!(told.bytes.len())));
    assert_eq!(json["platforms"], json!(["linux/amd64"]));
    assert_eq!(json["config"]["size_bytes"], json!(told.blobs[0].len()));
    assert_eq!(json["layers"][1]["digest"], digest_of("top"));
    assert_eq!(json["image"]["run"]["labels"]["team"], "blue\u{1b}[31m");
    assert_eq!(json["image"]["run"]["exposed_ports"], json!(["80/tcp"]));
    assert_eq!(json["image"]["history"][1]["empty_layer"], true);
    assert_eq!(json["annotations"]["org.example.note"], "hello");
    assert!(json.get("referrers").is_none());
    let bytes = told.bytes.len() + told.blobs.iter().map(Vec::len).sum::<usize>();
    assert_eq!(json["size_bytes"], json!(bytes));
}

#[test]
fn bytes_come_exactly_as_they_are() {
    let server = fresh();
    let told = told();
    let spaced = Manifest::raw(OCI_MANIFEST, [b" ", told.bytes.as_slice(), b"\n\n"].concat());
    server.push_parts("app", &told);
    server.push("app", "1", &spaced);
    assert_eq!(inspect(&server, &["app:1", "--raw"]).fine().bytes, spaced.bytes);
    assert_eq!(inspect(&server, &[&format!("app@{}", spaced.digest), "--raw"]).fine().bytes, spaced.bytes);
    assert_eq!(inspect(&server, &["app:1", "--raw-config"]).fine().bytes, told.blobs[0]);
    inspect(&server, &["app:1", "--raw", "--json"]).fails(2, &[]);
    inspect(&server, &["app:1", "--raw", "--raw-config"]).fails(2, &[]);
}

#[test]
fn without_a_tag_it_is_latest() {
    let server = fresh();
    server.push("app", "latest", &image(["base"]));
    let json = inspect(&server, &["app", "--json"]).fine().json();
    assert_eq!(json["digest"], image(["base"]).digest);
    inspect(&server, &["other"]).fails(1, &["there is no other"]);
    inspect(&server, &["app:2"]).fails(1, &["there is no app:2"]);
    inspect(&server, &["app:a/b"]).fails(2, &["does not name an image"]);
}

#[test]
fn an_index_is_told_with_its_images() {
    let server = fresh();
    let two = index([image(["base"]), told()]);
    server.push("app", "1", &two);
    let json = inspect(&server, &["app:1", "--json"]).fine().json();
    assert_eq!((&json["kind"], &json["media_type"]), (&json!("index"), &json!(OCI_INDEX)));
    assert_eq!(json["platforms"], json!(["linux/amd64", "linux/arm64"]));
    assert_eq!((&json["image"], &json["config"], &json["layers"]), (&json!(null), &json!(null), &json!([])));
    let child = &json["manifests"][1];
    assert_eq!(child["platform"], json!({"os": "linux", "architecture": "arm64"}));
    assert_eq!(child["manifest"]["image"]["run"]["user"], "app");
    assert_eq!(child["manifest"]["layers"][0]["digest"], digest_of("base"));
    let text = inspect(&server, &["app:1"]).fine();
    assert!(
        text.lines().iter().any(|line| line.contains("linux/arm64") && line.contains(&told().digest)),
        "{text:?}"
    );
}

#[test]
fn one_platform_of_an_index_can_be_chosen() {
    let server = fresh();
    let two = index([image(["base"]), told()]);
    server.push("app", "1", &two);
    for platform in ["linux/arm64", "linux/arm64/"] {
        let ran = inspect(&server, &["app:1", "--platform", platform, "--json"]);
        assert_eq!(ran.fine().json()["digest"], told().digest, "{platform}");
    }
    assert_eq!(
        inspect(&server, &["app:1", "--platform", "linux/amd64", "--raw"]).fine().bytes,
        image(["base"]).bytes
    );
    let config = inspect(&server, &["app:1", "--platform", "linux/arm64", "--raw-config"]).fine();
    assert_eq!(config.bytes, told().blobs[0]);
    inspect(&server, &["app:1", "--platform", "windows"]).fails(1, &["linux/amd64, linux/arm64"]);
    inspect(&server, &["app:1", "--platform", "linux"]).fails(1, &["several", "linux/amd64, linux/arm64"]);
    inspect(&server, &["app:1", "--raw-config"]).fails(1, &["--platform"]);
    server.push("app", "alone", &told());
    inspect(&server, &["app:alone", "--platform", "linux/amd64"]).fine();
    inspect(&server, &["app:alone", "--platform", "linux/arm64"]).fails(1, &["linux/amd64 alone"]);
}

#[test]
fn what_refers_to_an_image_is_listed() {
    let server = fresh();
    let app = image(["base"]);
    let sbom = artifact("application/vnd.example.sbom", "sbom").about(&app).annotated("by", "ana");
    server.push("app", "1", &app);
    server.push("app", &sbom.digest, &sbom);
    let json = inspect(&server, &["app:1", "--referrers", "--json"]).fine().json();
    let one = &json["referrers"][0];
    assert_eq!(
        (&one["digest"], &one["artifact_type"]),
        (&json!(sbom.digest), &json!("application/vnd.example.sbom"))
    );
    assert_eq!(one["annotations"]["by"], "ana");
    let text = inspect(&server, &["app:1", "--referrers"]).fine();
    assert!(text.stdout.contains(&sbom.digest), "{text:?}");
    let itself = inspect(&server, &[&format!("app@{}", sbom.digest), "--json"]).fine().json();
    assert_eq!((&itself["kind"], &itself["subject"]), (&json!("artifact"), &json!(app.digest)));
    assert_eq!(itself["image"], json!(null));
    let none = inspect(&server, &[&format!("app@{}", sbom.digest), "--referrers", "--json"]).fine().json();
    assert_eq!(none["referrers"], json!([]));
}

#[test]
fn a_configuration_that_is_none_is_left_out() {
    let server = fresh();
    let config = b"not json".to_vec();
    let json = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(OCI_CONFIG, &config), "layers": []});
    server.push("app", "1", &Manifest { blobs: vec![config.clone()], ..Manifest::of(&json) });
    let json = inspect(&server, &["app:1", "--json"]).fine().json();
    assert_eq!((&json["kind"], &json["image"]), (&json!("image"), &json!(null)));
    assert_eq!(inspect(&server, &["app:1", "--raw-config"]).fine().bytes, config);
}
