//! The policy that everybody begins with, as written: the administrator everything, one who reads everything, one with
//! a corner of their own, and anonymous callers one image. By grants, and by rules of the configuration.

use crate::testkit::accounts::{ADMIN_PASSWORD, basic, guarded, guarded_with, user};
use crate::testkit::answer::Answer;
use crate::testkit::client::{Client, get};
use crate::testkit::image::{digest_of, image};
use crate::testkit::server::{Home, Running};
use serde_json::json;

fn pulls(client: Client, repository: &str) -> u16 {
    client.send(&get(format!("/v2/{repository}/manifests/1"))).status
}

fn pushes(client: Client, repository: &str) -> u16 {
    client.send(&crate::testkit::client::post(format!("/v2/{repository}/blobs/uploads/"))).status
}

#[track_caller]
fn policy_holds(server: &Running, readonly: Client, someuser: Client, anonymous_is_everybody: bool) {
    let admin = server.admin();
    let image = image(["base"]);
    for repository in ["hello-world", "someuser/app", "someuser/deep/er", "team/app"] {
        admin.push(repository, "1", &image);
        assert_eq!(pulls(admin, repository), 200);
        assert_eq!(pulls(readonly, repository), 200, "{repository}");
        assert_eq!(pushes(readonly, repository), 403, "{repository}");
        let own = repository.starts_with("someuser/");
        let reads = own || (anonymous_is_everybody && repository == "hello-world");
        assert_eq!(pulls(someuser, repository), if reads { 200 } else { 403 }, "{repository}");
        assert_eq!(pushes(someuser, repository), if own { 202 } else { 403 }, "{repository}");
        let open = repository == "hello-world";
        assert_eq!(pulls(**server, repository), if open { 200 } else { 401 }, "{repository}");
        assert_eq!(pushes(**server, repository), 401, "{repository}");
        let anonymous = server.bearer(&server.token(&[&format!("repository:{repository}:pull,push")]));
        assert_eq!(pulls(anonymous, repository), if open { 200 } else { 401 }, "{repository}");
        assert_eq!(pushes(anonymous, repository), 401, "{repository}");
    }
    let listed =
        |client: Client| client.send(&get("/v2/_catalog")).expect(200).json()["repositories"].clone();
    assert_eq!(listed(readonly), listed(admin));
    let own = ["hello-world", "someuser/app", "someuser/deep/er"];
    assert_eq!(listed(someuser), json!(own[usize::from(!anonymous_is_everybody)..]));
    let anonymous = server.bearer(&server.token(&["registry:catalog:*"]));
    assert_eq!(listed(anonymous), json!(["hello-world"]));
}

#[test]
fn the_policy_as_grants() {
    let server = guarded();
    let admin = server.admin();
    let (readonly, someuser) = (admin.new_user("readonly"), admin.new_user("someuser"));
    admin.grant(&user("readonly"), "**", &["pull"]);
    admin.grant(&user("someuser"), "someuser/**", &["pull", "push", "delete"]);
    admin.grant(&json!({ "kind": "anonymous" }), "hello-world", &["pull"]);
    // A grant to everybody is for those who are logged in, too.
    policy_holds(&server, readonly, someuser, true);
}

#[test]
fn the_policy_as_rules() {
    let rules = r#"
        [[acl]]
        match = { account = "readonly" }
        actions = ["pull"]
        [[acl]]
        match = { account = "someuser", name = "someuser/**" }
        actions = ["*"]
        [[acl]]
        match = { account = "", name = "hello-world" }
        actions = ["pull"]
    "#;
    let server = guarded_with(Home::new().config(rules));
    let admin = server.admin();
    policy_holds(&server, admin.new_user("readonly"), admin.new_user("someuser"), false);
}

#[test]
fn a_login_with_docker_s_words_gives_tokens_that_work() {
    let server = guarded();
    let reply = server.admin().token_reply(
        "&account=admin&client_id=docker&offline_token=true&scope=repository:team/app:pull,push",
    );
    for field in ["token", "access_token", "refresh_token", "issued_at", "scope"] {
        assert!(reply[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {reply}");
    }
    assert!(reply["expires_in"].as_u64().unwrap() >= 60);
    let pushing = server.bearer(reply["token"].as_str().unwrap());
    pushing.push("team/app", "1", &image(["base"]));
    // It is for that repository alone.
    let other = pushing.send(&get("/v2/team/other/manifests/1")).refused(401, "UNAUTHORIZED");
    assert!(other.need("www-authenticate").contains("insufficient_scope"), "{other}");
    let form = format!(
        "grant_type=refresh_token&service=holdfast&client_id=docker&scope=repository:team/app:pull&refresh_token={}",
        reply["refresh_token"].as_str().unwrap()
    );
    let refreshed = server
        .send(
            &crate::testkit::client::post("/token")
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(form),
        )
        .expect(200)
        .json();
    let pulling = server.bearer(refreshed["access_token"].as_str().unwrap());
    assert_eq!(pulls(pulling, "team/app"), 200);
    assert_eq!(pushes(pulling, "team/app"), 401, "it was asked for pull alone");
}

#[test]
fn the_metadata_may_be_lost_and_everybody_still_logs_in() {
    let home = Home::new().with_accounts();
    let server = home.start();
    let admin = server.client().admin();
    let alice = admin.new_user("alice");
    admin.grant(&user("alice"), "team/**", &["pull", "push"]);
    let minted = alice.api("POST", "/me/tokens", Some(&json!({ "description": "ci" }))).expect(201).json();
    alice.push("team/app", "1", &image(["base"]));
    server.stop();
    std::fs::remove_dir_all(home.data().join("metadata")).unwrap();
    let server = home.start();
    let secret = minted["secret"].as_str().unwrap();
    for value in [basic("admin", ADMIN_PASSWORD), basic("alice", "password of alice"), basic("alice", secret)]
    {
        assert_eq!(pulls(server.client().authorized(&value), "team/app"), 200);
    }
    server.kill();
}

#[test]
fn the_trail_tells_of_refusals_and_of_nothing_that_was_allowed() {
    let server = guarded();
    let admin = server.admin();
    let alice = admin.new_user("alice");
    admin.api("GET", "/users", None).expect(200);
    alice.api("GET", "/me", None).expect(200);
    let denied =
        alice.send(&crate::testkit::client::post("/v2/team/app/blobs/uploads/")).refused(403, "DENIED");
    // docker takes the sentence that it knows by itself for a failure that may pass, and tries for a minute
    assert_ne!(denied.json()["errors"][0]["message"], "requested access to the resource is denied");
    let began = std::time::Instant::now();
    loop {
        let told = admin.api("GET", "/events?n=1000", None).expect(200).json();
        let refused = |event: &&serde_json::Value| event["what"] == "access-refused";
        let refused: Vec<_> = told["entries"].as_array().unwrap().iter().filter(refused).collect();
        if let [only] = refused[..] {
            assert_eq!(
                (&only["who"], &only["object"]),
                (&json!("alice"), &json!("repository:team/app:pull,push"))
            );
            break;
        }
        assert!(refused.is_empty() && began.elapsed().as_secs() < 30, "{refused:?}");
    }
}

#[test]
fn a_mount_needs_a_token_for_its_source_too() {
    let server = guarded();
    let admin = server.admin();
    let alice = admin.new_user("alice");
    admin.grant(&user("alice"), "team/*", &["pull", "push"]);
    for repository in ["team/base", "secret/base"] {
        admin.push(repository, "1", &image([repository]));
    }
    let mount = |client: Client, blob: &str, from: &str| {
        let query = format!("mount={}{from}", digest_of(blob));
        client.send(&crate::testkit::client::post(format!("/v2/team/app/blobs/uploads/?{query}")))
    };
    let both = r#"scope="repository:team/app:pull,push repository:team/base:pull""#;
    let challenged = |answer: &Answer| answer.need("www-authenticate").contains(both);
    assert!(challenged(&mount(*server, "team/base", "&from=team/base").refused(401, "UNAUTHORIZED")));
    let narrow = server.bearer(&alice.token(&["repository:team/app:pull,push"]));
    let wide = server.bearer(&alice.token(&[
        "repository:team/app:pull,push",
        "repository:team/base:pull",
        "repository:secret/base:pull",
    ]));
    assert!(challenged(&mount(narrow, "team/base", "&from=team/base").refused(401, "UNAUTHORIZED")));
    mount(narrow, "team/base", "").expect(202);
    // With the source named, and with none named: somebody who may not pull there learns nothing, not even that it is.
    for other in ["&from=secret/base", ""] {
        for client in [narrow, wide, alice] {
            mount(client, "secret/base", other).expect(202);
            mount(client, "nowhere", other).expect(202);
        }
    }
    mount(wide, "team/base", "").expect(201);
    mount(alice, "team/base", "&from=team/base").expect(201);
}

#[test]
fn the_catalog_of_another_registry_is_not_for_everybody() {
    let server = guarded_with(Home::new().env("HOLDFAST_AUTH_OTHER_SERVICES", "other"));
    let admin = server.admin();
    let alice = admin.new_user("alice");
    let scope = |client: Client, service: &str| {
        let asked = get(format!("/token?service={service}&scope=registry:catalog:*"));
        client.send(&asked).expect(200).json()["scope"].clone()
    };
    let body = json!({ "ceiling": { "repositories": ["team/*"], "actions": ["pull"] } });
    let minted = admin.api("POST", "/me/tokens", Some(&body)).expect(201).json();
    let narrow = server.login("admin", minted["secret"].as_str().unwrap());
    for (client, given) in [(admin, true), (alice, false), (narrow, false), (*server, false)] {
        assert_eq!(scope(client, "holdfast"), "registry:catalog:*", "ours shows what each may pull");
        assert_eq!(scope(client, "other"), if given { "registry:catalog:*" } else { "" });
    }
}
