//! Personal access tokens and secrets of service accounts: what they give at most holds on every way in, and none can
//! be made into more than it is.

use crate::testkit::accounts::{guarded, minted, service};
use crate::testkit::client::{Client, delete, get, patch, post, put};
use crate::testkit::forge::opened;
use crate::testkit::image::{blob, digest_of, image};
use crate::testkit::push::{closing, put_manifest};
use crate::testkit::server::Running;
use serde_json::{Value, json};

const EVERYTHING: [&str; 4] = [
    "repository:team/app:pull,push,delete,*",
    "repository:other/app:pull,push,delete,*",
    "registry:catalog:*",
    "registry:api:*",
];

/// A token shown in each way: as a password, as a Bearer token, and exchanged for an access token by GET and by POST.
fn ways(server: &Running, name: &str, token: &str) -> Vec<(&'static str, Client)> {
    let scope: String = EVERYTHING.map(|scope| format!("&scope={scope}")).concat();
    let form = format!(
        "grant_type=password&client_id=x&service=holdfast&access_type=offline&username={name}&password={token}{scope}"
    );
    let posted = server.token_form(&form).expect(200).json();
    assert!(posted.get("refresh_token").is_none(), "it would outlive the token: {posted}");
    let asked = server.login(name, token).token_reply(&format!("&offline_token=true{scope}"));
    assert!(asked.get("refresh_token").is_none(), "{asked}");
    let text = |reply: &Value| reply["access_token"].as_str().unwrap().to_owned();
    vec![
        ("as a password", server.login(name, token)),
        ("as a Bearer token", server.bearer(token)),
        ("exchanged by GET", server.bearer(&text(&asked))),
        ("exchanged by POST", server.bearer(&text(&posted))),
    ]
}

#[track_caller]
fn denied(client: Client, call: &crate::testkit::client::Request, why: &str) {
    let answer = client.send(call);
    assert!(matches!(answer.status, 401 | 403), "{why}: {call:?}: {answer}");
}

fn with_image() -> Running {
    let server = guarded();
    for repository in ["team/app", "other/app"] {
        server.admin().push(repository, "1", &image(["base"]));
    }
    server
}

#[test]
fn a_token_that_pulls_in_one_place_does_nothing_else_anywhere() {
    let server = with_image();
    let admin = server.admin();
    let form = json!({ "ceiling": { "repositories": ["team/**"], "actions": ["pull"] } });
    let (id, token) = admin.mint(&form);
    let base = digest_of("base");
    // A session that its own owner has opened is no way in either.
    let opened = admin.open_upload("team/app");
    for (way, client) in ways(&server, "admin", &token) {
        client.manifest("team/app", "1");
        client.send(&get("/api/v1/repositories/team/app")).expect(200);
        assert_eq!(client.catalog(), ["team/app"], "{way}");
        let made = image(["base"]);
        for call in [
            get("/v2/other/app/manifests/1"),
            get("/v2/other/app/tags/list"),
            get(format!("/v2/other/app/blobs/{base}")),
            get("/api/v1/repositories/other/app"),
            post("/v2/team/app/blobs/uploads/"),
            post(format!("/v2/team/app/blobs/uploads/?digest={base}")).body(blob("base")),
            post(format!("/v2/team/app/blobs/uploads/?mount={base}&from=team/app")),
            post(format!("/v2/other/app/blobs/uploads/?mount={base}&from=team/app")),
            get(&opened),
            patch(&opened).body("bytes"),
            put(closing(&opened, &base)).body(blob("base")),
            delete(&opened),
            put_manifest("team/app", "2", &made),
            put_manifest("team/app", &made.digest, &made),
            delete("/v2/team/app/manifests/1"),
            delete(format!("/v2/team/app/manifests/{}", made.digest)),
            delete(format!("/v2/team/app/blobs/{base}")),
            delete("/api/v1/repositories/team/app"),
            delete("/api/v1/repositories/team/app/-/tags/1"),
            delete(format!("/api/v1/repositories/team/app/-/manifests/{}", made.digest)),
            get("/api/v1/me"),
            get("/api/v1/me/tokens"),
            delete(format!("/api/v1/me/tokens/{id}")),
            get("/api/v1/users"),
            get("/api/v1/events"),
            get("/api/v1/acl/lint"),
        ] {
            denied(client, &call, way);
        }
        for body in [json!({}), form.clone(), json!({ "api": true })] {
            let answer = client.api("POST", "/me/tokens", Some(&body));
            assert!(matches!(answer.status, 401 | 403), "{way}: {answer}");
        }
    }
    assert_eq!(admin.tags("team/app"), ["1"]);
    assert_eq!(admin.send(&get(&opened)).expect(204).need("range"), "0-0");
}

#[test]
fn a_token_that_pushes_in_one_place_goes_all_the_way_there_and_no_further() {
    let server = with_image();
    let (_, token) =
        server.admin().mint(&json!({ "ceiling": { "repositories": ["team/app"], "actions": ["push"] } }));
    for (way, client) in ways(&server, "admin", &token) {
        let bytes = blob(way);
        let location = client.open_upload("team/app");
        let location =
            client.send(&patch(&location).body(&bytes[..10])).expect(202).need("location").to_owned();
        client.send(&get(&location)).expect(204);
        client.send(&put(closing(&location, &digest_of(way))).body(&bytes[10..])).expect(201);
        client.send(&put_manifest("team/app", "pushed", &image(["base"]))).expect(201);
        let cancelled = client.open_upload("team/app");
        client.send(&delete(&cancelled)).expect(204);
        // To mount needs to pull where it comes from.
        let base = digest_of("base");
        for from in ["team/app", "other/app"] {
            client.send(&post(format!("/v2/team/app/blobs/uploads/?mount={base}&from={from}"))).expect(202);
        }
        for call in [
            get("/v2/team/app/manifests/1"),
            delete("/v2/team/app/manifests/pushed"),
            post("/v2/other/app/blobs/uploads/"),
            get("/api/v1/repositories/team/app"),
        ] {
            denied(client, &call, way);
        }
        assert_eq!(client.catalog(), [""; 0], "{way}");
    }
}

#[test]
fn a_token_without_the_api_makes_no_other_and_one_with_it_makes_none_that_outlives_it() {
    let server = with_image();
    let admin = server.admin();
    let (_, plain) = admin.mint(&json!({}));
    for (way, client) in ways(&server, "admin", &plain) {
        client.manifest("other/app", "1");
        for (method, path) in [("GET", "/me"), ("GET", "/me/tokens"), ("GET", "/users")] {
            assert!(matches!(client.api(method, path, None).status, 401 | 403), "{way} {path}");
        }
        assert!(matches!(client.api("POST", "/me/tokens", Some(&json!({}))).status, 401 | 403), "{way}");
        let service = json!({ "name": "robot" });
        assert!(matches!(client.api("POST", "/service-accounts", Some(&service)).status, 401 | 403), "{way}");
        let password = json!({ "password": "another long password" });
        assert!(
            matches!(client.api("PUT", "/users/admin/password", Some(&password)).status, 401 | 403),
            "{way}"
        );
    }
    let (_, short) = admin.mint(&json!({ "api": true, "lifetime_secs": 3600 }));
    let client = server.bearer(&short);
    let child = client.api("POST", "/me/tokens", Some(&json!({}))).expect(201).json();
    let ends = child["token"]["expires"].as_u64().unwrap();
    assert!(ends <= child["token"]["created"].as_u64().unwrap() + 3600, "{child}");
    assert_eq!(client.api("POST", "/me/tokens", Some(&json!({ "lifetime_secs": 86_400 }))).status, 403);
    // With a token nobody changes the password without knowing it.
    let change = json!({ "old": short, "new": "another long password" });
    assert_eq!(client.api("PUT", "/me/password", Some(&change)).status, 400);
    // Both ceiling and API: the ceiling wins.
    let both = json!({ "api": true, "ceiling": { "repositories": ["team/**"], "actions": ["pull"] } });
    let made = admin.api("POST", "/me/tokens", Some(&both));
    if made.status == 201 {
        let bounded = server.bearer(made.json()["secret"].as_str().unwrap());
        denied(bounded, &get("/v2/other/app/manifests/1"), "bounded");
        assert!(matches!(bounded.api("POST", "/me/tokens", Some(&json!({}))).status, 401 | 403));
        denied(bounded, &delete("/api/v1/repositories/team/app"), "bounded");
    }
}

#[test]
fn ceilings_that_mean_nothing_are_refused() {
    let server = with_image();
    let many: Vec<String> = (0..101).map(|nth| format!("r{nth}")).collect();
    for ceiling in [
        json!({ "repositories": [], "actions": ["pull"] }),
        json!({ "repositories": ["team/**"], "actions": [] }),
        json!({ "repositories": many, "actions": ["pull"] }),
        json!({ "repositories": ["team/**"], "actions": ["admin"] }),
        json!({ "repositories": ["team/**"], "actions": ["*"] }),
        json!({ "repositories": ["x".repeat(10_000)], "actions": ["pull"] }),
        json!({ "repositories": ["team/**"] }),
        json!({ "repositories": ["team/**"], "actions": ["pull"], "admin": true }),
        json!("all"),
    ] {
        let answer = server.admin().api("POST", "/me/tokens", Some(&json!({ "ceiling": ceiling })));
        assert_eq!(answer.status, 400, "{ceiling}: {answer}");
    }
    for lifetime in [json!(0), json!(-1), json!(1e99), json!(u64::MAX), json!("long")] {
        let answer = server.admin().api("POST", "/me/tokens", Some(&json!({ "lifetime_secs": lifetime })));
        assert_eq!(answer.status, 400, "{lifetime}: {answer}");
    }
    assert_eq!(server.admin().api("GET", "/me/tokens", None).json()["entries"], json!([]));
}

#[test]
fn a_service_account_has_two_secrets_and_nothing_that_a_person_has() {
    let server = with_image();
    let admin = server.admin();
    admin.api("POST", "/service-accounts", Some(&json!({ "name": "robot" }))).expect(201);
    admin.grant(&service("robot"), "team/**", &["pull", "push"]);
    let mint = |form: &Value| admin.api("POST", "/service-accounts/robot/secrets", Some(form));
    let (first, old) = minted(&mint(&json!({})));
    let bound = json!({ "ceiling": { "repositories": ["team/**"], "actions": ["pull"] } });
    let (_, new) = minted(&mint(&bound));
    assert_eq!(mint(&json!({})).status, 403, "two at a time");
    for (way, client) in ways(&server, "robot", &old) {
        client.manifest("team/app", "1");
        client.open_upload("team/app");
        denied(client, &get("/v2/other/app/manifests/1"), way);
        assert!(matches!(client.api("POST", "/me/tokens", Some(&json!({}))).status, 401 | 403), "{way}");
        assert!(matches!(client.api("GET", "/users", None).status, 401 | 403), "{way}");
    }
    for (way, client) in ways(&server, "robot", &new) {
        client.manifest("team/app", "1");
        denied(client, &post("/v2/team/app/blobs/uploads/"), way);
    }
    // The name alone, another account's name with the secret, and a person's password are worth nothing.
    for (name, password) in
        [("robot", ""), ("admin", old.as_str()), ("robot", crate::testkit::accounts::ADMIN_PASSWORD)]
    {
        assert_eq!(server.login(name, password).send(&get("/v2/")).status, 401, "{name}");
    }
    let before = server.bearer(&server.login("robot", &old).token(&["repository:team/app:pull"]));
    before.manifest("team/app", "1");
    admin.api("DELETE", &format!("/service-accounts/robot/secrets/{first}"), None).expect(204);
    for client in [before, server.login("robot", &old), server.bearer(&old)] {
        assert_eq!(client.send(&get("/v2/team/app/manifests/1")).status, 401);
    }
    server.login("robot", &new).manifest("team/app", "1");
    let claims = opened(&server.login("robot", &new).token(&["repository:team/app:pull,push"])).1;
    assert_eq!(claims["access"][0]["actions"], json!(["pull"]));
}
