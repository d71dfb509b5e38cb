//! The audit trail: every login, refusal, pull, push, delete and change, with who, what, where from and how often. No
//! secret is ever in it or in the log, and it does not grow for ever.

use crate::testkit::accounts::{ADMIN_PASSWORD, guarded, guarded_with, user};
use crate::testkit::client::{Client, delete, get, post};
use crate::testkit::image::{digest_of, image};
use crate::testkit::server::{Home, eventually};
use serde_json::{Value, json};

fn events(admin: Client) -> Vec<Value> {
    let told = admin.api("GET", "/events?n=1000", None).expect(200).json();
    told["entries"].as_array().unwrap().clone()
}

fn is(event: &Value, what: &str, who: &str, object: &str, detail: &str) -> bool {
    [("what", what), ("who", who), ("object", object)].iter().all(|(field, text)| event[field] == *text)
        && event["detail"].as_str().unwrap().contains(detail)
}

#[test]
fn everything_that_happens_is_told_with_who_and_what_and_where_from() {
    let server = guarded();
    let admin = server.admin();
    let bob = admin.new_user("bob");
    let image = image(["base"]);
    admin.push("team/app", "1", &image);
    let grant = admin.grant(&user("bob"), "team/**", &["pull", "delete"]);
    for _ in 0..5 {
        bob.send(&get("/v2/team/app/manifests/1")).expect(200);
    }
    bob.send(&post("/v2/team/app/blobs/uploads/")).expect(403);
    bob.api("GET", "/users", None).expect(403);
    server.login("bob", "canary-wrong-password").send(&get("/v2/")).expect(401);
    server.bearer("canary-no-token").send(&get("/v2/")).expect(401);
    server.bearer("hfp_canarycanarycanary").send(&get("/v2/")).expect(401);
    server.authorized("Basic canary!").send(&get("/v2/")).expect(401);
    bob.token_reply("&offline_token=true&client_id=docker");
    let minted = bob.api("POST", "/me/tokens", Some(&json!({ "api": true }))).expect(201).json();
    let (id, secret) = (minted["token"]["id"].as_str().unwrap(), minted["secret"].as_str().unwrap());
    server.bearer(secret).api("PATCH", "/me", Some(&json!({ "email": "b@c" }))).expect(200);
    bob.api("DELETE", &format!("/me/tokens/{id}"), None).expect(204);
    admin.api("POST", "/groups", Some(&json!({ "name": "dev" }))).expect(201);
    admin.api("PUT", "/groups/dev/members/user:bob", None).expect(204);
    admin.api("DELETE", "/groups/dev/members/user:bob", None).expect(204);
    admin.api("DELETE", "/groups/dev", None).expect(204);
    admin.api("POST", "/service-accounts", Some(&json!({ "name": "ci" }))).expect(201);
    let machine = admin.api("POST", "/service-accounts/ci/secrets", Some(&json!({}))).expect(201).json();
    server.login("ci", machine["secret"].as_str().unwrap()).send(&get("/v2/")).expect(200);
    admin.api("PATCH", "/users/bob", Some(&json!({ "admin": true, "disabled": true }))).expect(200);
    admin.api("PATCH", "/users/bob", Some(&json!({ "admin": false, "disabled": false }))).expect(200);
    bob.send(&delete("/v2/team/app/manifests/1")).expect(202);
    bob.send(&delete(format!("/v2/team/app/blobs/{}", digest_of("base")))).expect(202);
    admin.push("team/app", "2", &image);
    admin.api("DELETE", "/repositories/team/app/-/tags/2", None).expect(204);
    admin.api("DELETE", "/repositories/team/app", None).expect(204);
    admin.api("PUT", "/users/bob/password", Some(&json!({ "password": "canary-new-password" }))).expect(204);
    admin.api("DELETE", &format!("/grants/{grant}"), None).expect(204);
    admin.api("DELETE", "/users/bob", None).expect(204);
    let blob = format!("team/app@{} (blob)", digest_of("base"));
    let (token, given, machines) =
        (format!("token {id}"), format!("grant {grant}"), machine["token"]["id"].as_str().unwrap());
    let expected = [
        ("login", "admin", "", "password"),
        ("login", "bob", "", "password"),
        ("login", "ci", "", ""),
        ("login", "bob", "", "token"),
        ("login-refused", "bob", "", "password"),
        ("login-refused", "", "", "access token"),
        ("login-refused", "", "", "token"),
        ("login-refused", "", "", "does not read"),
        ("access-refused", "bob", "repository:team/app:pull,push", ""),
        ("access-refused", "bob", "registry:api:*", ""),
        ("push", "admin", "team/app:1", ""),
        ("push", "admin", "team/app:2", ""),
        ("pull", "bob", "team/app:1", ""),
        ("delete", "bob", "team/app:1", ""),
        ("delete", "bob", &blob, ""),
        ("delete", "admin", "team/app:2", ""),
        ("delete", "admin", "team/app (all of it)", ""),
        ("change", "admin", "user bob", "made"),
        ("change", "bob", "user bob", "own profile"),
        ("change", "admin", "user bob", "made an administrator, disabled"),
        ("change", "admin", "user bob", "no longer an administrator, enabled"),
        ("change", "admin", "user bob", "password changed"),
        ("change", "admin", "user bob", "removed"),
        ("change", "bob", &token, "made"),
        ("change", "bob", &token, "revoked"),
        ("change", "admin", &given, "delete on team/** given to user"),
        ("change", "admin", &given, "removed"),
        ("change", "admin", "group dev", "made"),
        ("change", "admin", "group dev", "with user:bob"),
        ("change", "admin", "group dev", "without user:bob"),
        ("change", "admin", "group dev", "removed"),
        ("change", "admin", "service account ci", "made"),
        ("change", "admin", "service account ci", machines),
    ];
    eventually("the last is written", || {
        events(admin).iter().any(|e| is(e, "change", "admin", "user bob", "removed"))
    });
    let all = events(admin);
    for (what, who, object, detail) in expected {
        let found: Vec<&Value> = all.iter().filter(|event| is(event, what, who, object, detail)).collect();
        assert!(!found.is_empty(), "no {what} of {who:?} on {object:?} ({detail}) in {all:#?}");
        assert!(found.iter().all(|event| event["address"] == "127.0.0.1"), "{found:?}");
    }
    let count = |what: &str, who: &str| -> u64 {
        all.iter()
            .filter(|e| e["what"] == what && e["who"] == who)
            .map(|e| e["count"].as_u64().unwrap())
            .sum()
    };
    assert_eq!((count("pull", "bob"), count("pull", "admin")), (5, 0));
    assert_eq!(count("access-refused", "admin"), 0, "what is given is no refusal");
    assert_eq!(count("access-refused", "bob"), 2);
    let told = format!("{all:?}{}", server.server.log());
    for canary in ["canary", secret, machine["secret"].as_str().unwrap(), ADMIN_PASSWORD, "password of bob"] {
        assert!(!told.contains(canary), "{canary} was told");
    }
    assert!(server.server.log().contains("audit"), "a line of the log each");
}

#[test]
fn the_trail_is_read_page_by_page_and_an_address_is_not_taken_from_a_stranger() {
    let server = guarded();
    let admin = server.admin();
    for n in 0..12 {
        let lie = get("/v2/")
            .header("X-Forwarded-For", format!("192.0.2.{n}"))
            .header("Forwarded", "for=192.0.2.9");
        server.login(&format!("nobody{n}"), "wrong").send(&lie).expect(401);
    }
    eventually("all are written", || {
        events(admin).iter().filter(|event| event["what"] == "login-refused").count() == 12
    });
    let newest = events(admin)[0]["id"].as_u64().unwrap();
    let mut last = newest + 1;
    let mut walked = Vec::new();
    loop {
        let page = admin.api("GET", &format!("/events?n=5&last={last}"), None).expect(200).json();
        let entries = page["entries"].as_array().unwrap().clone();
        assert!(entries.len() <= 5);
        walked.extend(entries);
        let Some(next) = page["next"].as_str() else { break };
        last = next.parse().unwrap();
    }
    let ids: Vec<u64> = walked.iter().map(|event| event["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=newest).rev().collect::<Vec<_>>(), "no gap and no repeat");
    assert!(walked.iter().all(|event| event["address"] == "127.0.0.1"), "{walked:?}");
    for query in ["n=0", "n=1001", "last=x", "last=-1", "last=99999999999999999999999"] {
        admin.api("GET", &format!("/events?{query}"), None).refused(400, "INVALID");
    }
    assert_eq!(admin.api("GET", "/events?last=0", None).expect(200).json(), json!({ "entries": [] }));
}

#[test]
fn the_trail_is_bounded_by_count() {
    let server = guarded_with(Home::new().config("[audit]\nevents_max = 10\n"));
    let names: Vec<String> = (0..30).map(|n| format!("group{n}")).collect();
    for name in &names {
        server.admin().api("POST", "/groups", Some(&json!({ "name": name }))).expect(201);
    }
    eventually("they are written", || events(server.admin()).iter().any(|e| e["object"] == "group group29"));
    let crate::testkit::server::Running { server, home, .. } = server;
    server.stop();
    let server = home.start();
    eventually("the old ones are dropped", || events(server.client().admin()).len() <= 14);
    assert!(events(server.client().admin()).iter().all(|event| event["object"] != "group group0"));
    server.kill();
}
