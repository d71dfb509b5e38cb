//! `holdfast rm` against the program's own server, and against a registry that cannot remove a tag alone: what goes, and
//! above all what stays.

use crate::testkit::fake::{Fake, Seen, reply};
use crate::testkit::image::{digest_of, image};
use crate::testkit::push::put_manifest;
use crate::testkit::server::{Running, fresh};
use crate::testkit::tool::{Ran, Tool};
use serde_json::json;

/// `app` with the tags 1 and latest of one image and 2 of another.
fn team() -> Running {
    let server = fresh();
    server.push("app", "1", &image(["base"]));
    server.send(&put_manifest("app", "latest", &image(["base"]))).expect(201);
    server.push("app", "2", &image(["base", "top"]));
    server
}

#[track_caller]
fn rm(server: &Running, arguments: &[&str]) -> Ran {
    let url = format!("http://{}", server.addr);
    Tool::new().run(&[&["rm", "--server", &url], arguments].concat())
}

fn by_digest() -> String {
    format!("app@{}", image(["base"]).digest)
}

#[test]
fn a_tag_goes_alone() {
    let server = team();
    let ran = rm(&server, &["app:1"]).fine();
    assert_eq!(ran.stdout, "removed app:1, this tag alone\n");
    assert_eq!(server.tags("app"), ["2", "latest"]);
    assert!(server.has_manifest("app", &image(["base"]).digest));
}

#[test]
fn a_digest_takes_its_tags_with_it_when_that_is_wanted() {
    let server = team();
    rm(&server, &[&by_digest()]).fails(2, &["--yes"]);
    assert_eq!(server.tags("app").len(), 3, "nobody could be asked, so nothing went");
    let ran = rm(&server, &[&by_digest(), "--yes"]).fine();
    assert_eq!(ran.stdout, format!("removed {} with its 2 tags 1, latest\n", by_digest()));
    assert_eq!(server.tags("app"), ["2"]);
    assert!(!server.has_manifest("app", &image(["base"]).digest));
}

#[test]
fn a_dry_run_tells_and_touches_nothing() {
    let server = team();
    let ran = rm(&server, &["--dry-run", "app:1", &by_digest()]).fine();
    assert_eq!(
        ran.lines(),
        [
            "would remove app:1, this tag alone",
            &format!("would remove {} with its 2 tags 1, latest", by_digest())
        ]
    );
    assert_eq!(server.tags("app"), ["1", "2", "latest"]);
}

#[test]
fn as_docker_rm_writes_it() {
    let server = team();
    let digest = image(["base", "top"]).digest;
    rm(&server, &["--yes", &format!("app:{digest}")]).fine();
    assert_eq!(server.tags("app"), ["1", "latest"]);
}

#[test]
fn what_fails_does_not_keep_the_rest_from_going() {
    let server = team();
    let ran = rm(&server, &["app:nope", "app:2", "other:1", "--json"]).fails(1, &["app:nope", "other:1"]);
    let json = ran.json();
    let outcomes: Vec<_> =
        json["images"].as_array().unwrap().iter().map(|one| one["outcome"].clone()).collect();
    assert_eq!(outcomes, ["failed", "removed", "failed"]);
    assert_eq!(
        json["images"][1],
        json!({"reference": "app:2", "repository": "app", "outcome": "removed", "tags": ["2"],
            "digest": image(["base", "top"]).digest})
    );
    assert!(json["images"][0]["error"].as_str().unwrap().contains("no such tag"));
    assert_eq!(server.tags("app"), ["1", "latest"]);
    rm(&server, &["--yes", &format!("app@{}", digest_of("nothing"))]).fails(1, &["no such manifest"]);
}

#[test]
fn nothing_is_touched_when_one_argument_makes_no_sense() {
    let server = team();
    for wrong in ["app", "app:1:2", "APP:1", &format!("app:1@{}", image(["base"]).digest)] {
        rm(&server, &["--yes", "app:2", wrong]).fails(2, &[]);
    }
    rm(&server, &[]).fails(2, &[]);
    assert_eq!(server.tags("app").len(), 3);
    let several = ["rm", "--user", "ana", "--password-stdin", "a.example.com/x:1", "b.example.com/x:1"];
    Tool::new().run_with(&several, "x").fails(2, &["several"]);
}

/// A registry that has `app` with two tags of one manifest, and refuses to remove a tag in this way.
fn stubborn(status: u16, body: &'static str) -> Fake {
    Fake::start(move |seen: &Seen| match seen.line().as_str() {
        "GET /v2/app/tags/list?n=1000" => reply(200, r#"{"name":"app","tags":["1","latest"]}"#),
        line if line.starts_with("HEAD /v2/app/manifests/") => {
            reply(200, "{}").header("Docker-Content-Digest", image(["base"]).digest)
        }
        line if line.starts_with("DELETE /v2/app/manifests/sha256:") => reply(202, ""),
        line if line.starts_with("DELETE ") => reply(status, body),
        _ => reply(404, ""),
    })
}

#[test]
fn a_registry_that_cannot_remove_one_tag_is_told_of_and_not_worked_round() {
    let unsupported = r#"{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}"#;
    for (status, body) in [(405, unsupported), (400, unsupported), (405, ""), (400, "<html>")] {
        let fake = stubborn(status, body);
        let ran = Tool::new().run(&["rm", "--server", &fake.url(), "--yes", "app:1"]);
        let digest = image(["base"]).digest;
        let told =
            ["cannot remove one tag alone", "2 tags (1, latest)", &format!("holdfast rm app@{digest}")];
        ran.fails(1, &told);
        let deletes: Vec<String> =
            fake.lines().into_iter().filter(|line| line.starts_with("DELETE")).collect();
        assert_eq!(deletes, ["DELETE /v2/app/manifests/1"], "it fell back");
    }
    let fake = stubborn(405, "");
    let whole = format!("app@{}", image(["base"]).digest);
    let ran = Tool::new().run(&["rm", "--server", &fake.url(), "--yes", &whole]).fine();
    assert!(ran.stdout.contains("with its 2 tags 1, latest"), "{ran:?}");
}

#[test]
fn a_removal_is_not_sent_on_nor_sent_twice() {
    let fake = Fake::start(|seen: &Seen| match seen.method.as_str() {
        "DELETE" => reply(307, "").header("Location", "/v2/other/manifests/1"),
        _ => reply(200, "{}").header("Docker-Content-Digest", image(["base"]).digest),
    });
    Tool::new().run(&["rm", "--server", &fake.url(), "app:1"]).fails(1, &["sends us on"]);
    assert_eq!(fake.lines(), ["HEAD /v2/app/manifests/1", "DELETE /v2/app/manifests/1"]);
    let fake = stubborn(503, "");
    Tool::new().run(&["rm", "--server", &fake.url(), "app:1"]).fails(1, &["503"]);
    assert_eq!(fake.lines().len(), 2);
}

#[test]
fn when_the_tags_cannot_be_known_a_digest_is_left_alone() {
    let fake = Fake::start(|seen: &Seen| match seen.method.as_str() {
        "HEAD" => reply(200, "{}").header("Docker-Content-Digest", image(["base"]).digest),
        "DELETE" => reply(202, ""),
        _ => reply(500, ""),
    });
    Tool::new().run(&["rm", "--server", &fake.url(), "--yes", &by_digest()]).fails(1, &["500"]);
    assert!(fake.lines().iter().all(|line| !line.starts_with("DELETE")), "{:?}", fake.lines());
}
