//! `ls` and `inspect` against registries that answer in other ways than ours, badly, or in bad faith. It must not know
//! logins: see `foreign_logins`.

use crate::testkit::fake::{Fake, Reply, Seen, reply, silence};
use crate::testkit::image::{Manifest, OCI_INDEX, OCI_MANIFEST, artifact, digest_of, image, sha256_of};
use crate::testkit::tool::{Ran, Tool};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

#[track_caller]
fn run(fake: &Fake, arguments: &[&str]) -> Ran {
    let (command, rest) = arguments.split_first().unwrap();
    Tool::new().run(&[&[*command, "--server", &fake.url()], rest].concat())
}

/// A registry that gives one manifest under every name, its blobs, and nothing else.
fn holding(manifest: Manifest) -> impl Fn(&Seen) -> Reply {
    move |seen: &Seen| {
        let digest = seen.path.rsplit('/').next().unwrap().to_owned();
        if seen.path.contains("/manifests/") {
            return reply(200, &manifest.bytes).header("Content-Type", &manifest.media_type);
        }
        let blob = manifest.blobs.iter().find(|blob| sha256_of(blob) == digest);
        blob.map_or_else(|| reply(404, ""), |blob| reply(200, blob))
    }
}

#[test]
fn pages_are_followed_in_every_form_of_link() {
    for form in ["/v2/_catalog?n=2&last=b", "HOST/v2/_catalog?n=2&last=b", "_catalog?n=2&last=b"] {
        let fake = Fake::start(move |seen: &Seen| match seen.path.as_str() {
            "/v2/_catalog?n=1000" => {
                let link = form.replace("HOST", &format!("http://{}", seen.header("host")));
                reply(200, r#"{"repositories":["a","b"]}"#).header("Link", format!(r#"<{link}>; rel="next""#))
            }
            "/v2/_catalog?n=2&last=b" => reply(200, r#"{"repositories":["c"]}"#),
            _ => reply(500, ""),
        });
        assert_eq!(run(&fake, &["ls"]).fine().lines(), ["a", "b", "c"], "{form}");
    }
}

#[test]
fn a_list_that_leads_elsewhere_is_not_followed() {
    let other = Fake::at("127.0.0.2", |_: &Seen| reply(200, r#"{"repositories":["evil"]}"#));
    for link in
        [format!("{}/v2/_catalog", other.url()), format!("//{}/v2/_catalog", other.host()), "ftp://x/".into()]
    {
        let fake = Fake::start(move |_: &Seen| {
            reply(200, r#"{"repositories":["a"]}"#).header("Link", format!(r#"<{link}>; rel="next""#))
        });
        run(&fake, &["ls"]).fails(1, &["at another address"]);
    }
    assert_eq!(other.lines(), [""; 0]);
}

#[test]
fn a_list_that_leads_in_a_circle_ends() {
    let fake = Fake::start(|seen: &Seen| {
        let next = if seen.path.contains("last=a") { "b" } else { "a" };
        reply(200, r#"{"repositories":["x"]}"#)
            .header("Link", format!("</v2/_catalog?last={next}>; rel=next"))
    });
    run(&fake, &["ls"]).fails(1, &["circle"]);
    assert!(fake.lines().len() <= 4, "{:?}", fake.lines());
}

#[test]
fn a_list_that_breaks_off_is_no_short_list() {
    let half = |reply: Reply| Fake::start(move |_: &Seen| reply.clone());
    let cut = half(reply(200, r#"{"repositories":["a","b"]}"#).cut_after(20));
    assert_eq!(run(&cut, &["ls"]).fails(1, &["broke off"]).stdout, "");
    for body in [
        "",
        "<html>hello</html>",
        r#"{"repositories":["#,
        "[]",
        r#"{"repositories":{}}"#,
        r#"{"repositories":[1]}"#,
    ] {
        assert_eq!(run(&half(reply(200, body)), &["ls"]).fails(1, &["cannot be used"]).stdout, "", "{body}");
    }
    let gone = Fake::start(|seen: &Seen| {
        if seen.path.contains("last") {
            reply(404, "")
        } else {
            reply(200, r#"{"repositories":["a"]}"#).header("Link", "</v2/_catalog?last=a>; rel=\"next\"")
        }
    });
    assert_eq!(run(&gone, &["ls"]).fails(1, &["does not exist"]).stdout, "");
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let fake = Fake::start(|_: &Seen| reply(200, vec![b' '; 9 << 20]));
    run(&fake, &["ls"]).fails(1, &["larger than"]);
    let fake = Fake::start(|_: &Seen| reply(200, vec![b' '; 17 << 20]));
    run(&fake, &["inspect", "app"]).fails(1, &["larger than"]);
}

#[test]
fn a_registry_that_says_nothing_is_given_up() {
    let fake = Fake::start(|_: &Seen| silence());
    run(&fake, &["ls", "--timeout", "1"]).fails(1, &["nothing came for 1 seconds"]);
}

#[test]
fn a_registry_that_is_busy_is_asked_again() {
    let asked = AtomicUsize::new(0);
    let fake = Fake::start(move |_: &Seen| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => reply(429, "").header("Retry-After", "0"),
        1 => reply(503, "").header("Retry-After", "0"),
        _ => reply(200, r#"{"repositories":["a"]}"#),
    });
    assert_eq!(run(&fake, &["ls"]).fine().lines(), ["a"]);
    let fake = Fake::start(|_: &Seen| reply(429, "").header("Retry-After", "0"));
    run(&fake, &["ls"]).fails(1, &["429"]);
    assert_eq!(fake.lines().len(), 5, "four more times");
    let fake = Fake::start(|_: &Seen| reply(503, "").header("Retry-After", "3600"));
    run(&fake, &["ls"]).fails(1, &["503"]);
    assert_eq!(fake.lines().len(), 1, "an hour is too long");
}

#[test]
fn names_cannot_steer_the_terminal() {
    let fake = Fake::start(|_: &Seen| reply(200, r#"{"repositories":["a\u001b[2J","b\u009b31m\u202e"]}"#));
    for arguments in [&["ls"][..], &["ls", "-l1"], &["ls", "--json"], &["ls", "-l1", "--json"]] {
        let ran = run(&fake, arguments);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("[2J") && said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
    }
    let refusal = r#"{"errors":[{"code":"DENIED","message":"no\u001b[2J"}]}"#;
    let ran = run(&Fake::start(move |_: &Seen| reply(403, refusal)), &["ls"]).fails(1, &["403 (DENIED: no"]);
    assert!(!ran.stderr.contains('\u{1b}'));
}

#[test]
fn one_repository_that_fails_does_not_hide_the_others() {
    let fake = Fake::start(|seen: &Seen| match seen.path.split('?').next().unwrap() {
        "/v2/_catalog" => reply(200, r#"{"repositories":["denied","empty","gone","good","Odd Name"]}"#),
        "/v2/denied/tags/list" => reply(403, r#"{"errors":[{"code":"DENIED"}]}"#),
        "/v2/empty/tags/list" => reply(200, r#"{"name":"empty","tags":null}"#),
        "/v2/good/tags/list" => reply(200, r#"{"name":"good","tags":["1"]}"#),
        _ => reply(404, ""),
    });
    let ran = run(&fake, &["ls", "-l1", "--json"]).fails(1, &["denied: ", "403", "Odd Name: "]);
    let rows = ran.json();
    let tags: Vec<_> =
        rows["repositories"].as_array().unwrap().iter().map(|row| row["tags"].clone()).collect();
    assert_eq!(tags, [json!([]), json!([]), json!([]), json!(["1"]), json!([])]);
    assert!(rows["repositories"][0]["error"].as_str().unwrap().contains("403"));
    assert!(rows["repositories"][1].get("error").is_none());
}

#[test]
fn one_tag_that_fails_does_not_hide_the_others() {
    let app = image(["base"]);
    let held = holding(app.clone());
    let fake = Fake::start(move |seen: &Seen| match seen.path.split('?').next().unwrap() {
        "/v2/app/tags/list" => reply(200, r#"{"name":"app","tags":["1","lost","bad tag"]}"#),
        "/v2/app/manifests/lost" => reply(404, ""),
        _ => held(seen),
    });
    let ran = run(&fake, &["ls", "app", "-l1", "--json"]).fails(1, &["lost: ", "bad tag: "]);
    let rows = ran.json();
    assert_eq!(rows["tags"][0]["digest"], app.digest, "computed, as the registry does not tell it");
    assert_eq!(rows["tags"][1].get("digest"), None);
    assert_eq!(run(&fake, &["ls", "app"]).fine().lines(), ["1", "lost", "bad tag"]);
}

#[test]
fn bytes_that_are_not_those_of_their_digest_are_not_believed() {
    let app = image(["base"]);
    let fake = Fake::start(holding(app.clone()));
    run(&fake, &["inspect", &format!("app@{}", digest_of("base"))]).fails(1, &["changed on the way"]);
    run(&fake, &["inspect", &format!("app@{}", digest_of("base")), "--raw"])
        .fails(1, &["changed on the way"]);
    let held = holding(app.clone());
    let fake = Fake::start(move |seen: &Seen| held(seen).header("Docker-Content-Digest", digest_of("base")));
    run(&fake, &["inspect", "app:1"]).fails(1, &["changed on the way"]);
    let held = holding(app.clone());
    let config = app.json()["config"]["digest"].as_str().unwrap().to_owned();
    let fake = Fake::start(
        move |seen: &Seen| if seen.path.ends_with(&config) { reply(200, "{}") } else { held(seen) },
    );
    run(&fake, &["inspect", "app:1"]).fails(1, &["changed on the way"]);
}

#[test]
fn an_index_in_bad_faith_is_looked_into_so_far() {
    let child = image(["base"]);
    let many: Vec<Value> = (0..1000).map(|_| child.descriptor()).collect();
    let huge = json!({"mediaType": OCI_MANIFEST, "digest": digest_of("huge"), "size": 1_u64 << 40});
    let listed = [vec![huge], many].concat();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}).to_string();
    let held = holding(child.clone());
    let fake = Fake::start(move |seen: &Seen| {
        if seen.path.ends_with("/manifests/1") {
            reply(200, &index).header("Content-Type", OCI_INDEX)
        } else {
            held(seen)
        }
    });
    let json = run(&fake, &["inspect", "app:1", "--json"]).fine().json();
    let seen = json["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|listed| listed.get("manifest").is_some())
        .count();
    assert_eq!((json["manifests"].as_array().unwrap().len(), seen), (1001, 127));
    assert!(json["size_bytes"].as_u64().unwrap() > 1 << 40);
    // A manifest that is larger than its index says is not read on.
    let mut lying = child.descriptor();
    lying["size"] = json!(10);
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [lying]}).to_string();
    let held = holding(child);
    let fake = Fake::start(move |seen: &Seen| {
        if seen.path.ends_with("/manifests/1") {
            reply(200, &index).header("Content-Type", OCI_INDEX)
        } else {
            held(seen)
        }
    });
    run(&fake, &["inspect", "app:1"]).fails(1, &["larger than 10 bytes"]);
}

#[test]
fn every_kind_of_manifest_is_asked_for() {
    let fake = Fake::start(holding(image(["base"])));
    run(&fake, &["inspect", "app:1", "--raw"]).fine();
    let accept = fake.seen()[0].header("accept").to_owned();
    for kind in [
        "oci.image.manifest.v1+json",
        "oci.image.index.v1+json",
        "distribution.manifest.v2+json",
        "manifest.list.v2+json",
    ] {
        assert!(accept.contains(kind), "{kind} is not in {accept}");
    }
    assert!(fake.seen()[0].header("user-agent").starts_with("holdfast/"));
}

#[test]
fn what_is_no_manifest_is_shown_for_what_it_is() {
    let schema1 = r#"{"schemaVersion":1,"name":"app","fsLayers":[]}"#;
    let fake = Fake::start(move |_: &Seen| {
        reply(200, schema1)
            .header("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
            .header("Docker-Content-Digest", digest_of("another"))
    });
    let json = run(&fake, &["inspect", "app:1", "--json"]).fine().json();
    assert_eq!((&json["kind"], &json["digest"]), (&json!("unknown"), &json!(digest_of("another"))));
    assert!(json["problem"].as_str().unwrap().contains("schema 1"));
    assert_eq!(run(&fake, &["inspect", "app:1", "--raw"]).fine().stdout, schema1);
}

#[test]
fn referrers_under_their_tag_are_found_where_there_is_no_list() {
    let app = image(["base"]);
    let sbom = artifact("application/vnd.example.sbom", "sbom").about(&app);
    let index =
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [sbom.descriptor()]}).to_string();
    let tag = app.digest.replace(':', "-");
    let held = holding(app);
    let fake = Fake::start(move |seen: &Seen| match seen.path.as_str() {
        path if path.contains("/referrers/") => reply(404, "404 page not found"),
        path if path.ends_with(&tag) => reply(200, &index).header("Content-Type", OCI_INDEX),
        _ => held(seen),
    });
    let json = run(&fake, &["inspect", "app:1", "--referrers", "--json"]).fine().json();
    assert_eq!(json["referrers"][0]["digest"], sbom.digest);
}

#[test]
fn redirects_are_followed_so_far() {
    let app = image(["base"]);
    let config = app.blobs[0].clone();
    let store = Fake::at("127.0.0.2", move |_: &Seen| reply(200, &config));
    let (held, to) = (holding(app.clone()), store.url());
    let fake = Fake::start(move |seen: &Seen| {
        if seen.path.contains("/blobs/") {
            reply(307, "").header("Location", format!("{to}/bucket/x?signature=1"))
        } else {
            held(seen)
        }
    });
    assert_eq!(run(&fake, &["inspect", "app:1", "--raw-config"]).fine().bytes, app.blobs[0]);
    assert_eq!(store.lines(), ["GET /bucket/x?signature=1"]);
    let circle = Fake::start(|_: &Seen| reply(302, "").header("Location", "/v2/_catalog"));
    run(&circle, &["ls"]).fails(1, &["more than 5 times"]);
    for location in ["file:///etc/passwd", "http://"] {
        let fake = Fake::start(move |_: &Seen| reply(302, "").header("Location", location));
        run(&fake, &["ls"]).fails(1, &["sends us on"]);
    }
}

#[test]
fn the_server_of_this_machine_is_reached_through_its_socket() {
    let tool = Tool::new().docker(r#"{"auths":{"localhost":{"auth":"YW5hOng="}}}"#);
    let data = tool.folder().join("data");
    std::fs::create_dir(&data).unwrap();
    let data = data.to_str().unwrap().to_owned();
    tool.run(&["ls", "--data", &data]).fails(1, &["no server runs with this data folder", "holdfast serve"]);
    let path = std::path::Path::new(&data).join("admin.sock");
    let fake = Fake::socket(&path, |seen: &Seen| match seen.path.as_str() {
        "/v2/_catalog?n=1000" => reply(200, r#"{"repositories":["app"]}"#),
        _ => reply(404, ""),
    });
    assert_eq!(tool.run(&["ls", "--data", &data]).fine().lines(), ["app"]);
    let by_url = format!("unix:{}", path.display());
    assert_eq!(tool.run(&["ls", "--server", &by_url]).fine().lines(), ["app"]);
    tool.run(&["inspect", "--data", &data, "app"]).fails(1, &["there is no app at the server at"]);
    assert!(fake.seen().iter().all(|seen| !seen.shows_something()), "{:?}", fake.seen());
    tool.run_with(&["ls", "--data", &data, "--user", "ana", "--password-stdin"], "x").fails(2, &["--server"]);
}

#[test]
fn nobody_at_all_is_told_plainly() {
    let host = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    Tool::new().run(&["ls", &format!("{host}/")]).fails(1, &[&host, "cannot be reached"]);
    Tool::new().run(&["ls", "--server", &format!("https://{host}")]).fails(1, &[&host, "cannot be reached"]);
}
