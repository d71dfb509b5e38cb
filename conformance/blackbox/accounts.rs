//! The policy that everybody begins with, as written: the administrator everything, one who reads everything, one with
//! a corner of their own, and anonymous callers one image. By grants, and by rules of the configuration.

use crate::testkit::accounts::{ADMIN_PASSWORD, basic, guarded, guarded_with, user};
use crate::testkit::client::{Client, get};
use crate::testkit::image::image;
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
