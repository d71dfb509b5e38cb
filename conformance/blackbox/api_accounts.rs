//! What accounts may do to each other and to themselves: nothing by the id of somebody else's, and nobody takes away the
//! last administrator.

use crate::testkit::accounts::{ADMIN_PASSWORD, guarded, user};
use crate::testkit::client::{Client, get};
use crate::testkit::image::image;
use serde_json::{Value, json};

fn minted(client: Client, body: &Value) -> (String, String) {
    let made = client.api("POST", "/me/tokens", Some(body)).expect(201).json();
    (made["token"]["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

#[test]
fn nobody_reaches_by_its_id_what_is_somebody_else_s() {
    let server = guarded();
    let admin = server.admin();
    let (alice, eve) = (admin.new_user("alice"), admin.new_user("eve"));
    let (id, secret) = minted(alice, &json!({ "description": "alice's canary" }));
    let (admins, _) = minted(admin, &json!({}));
    admin.api("POST", "/service-accounts", Some(&json!({ "name": "ci" }))).expect(201);
    admin.api("POST", "/groups", Some(&json!({ "name": "ops" }))).expect(201);
    let machine = admin.api("POST", "/service-accounts/ci/secrets", Some(&json!({}))).expect(201).json();
    let machines = machine["token"]["id"].as_str().unwrap().to_owned();
    let grant = admin.grant(&user("alice"), "alice/**", &["pull", "push", "delete"]);
    alice.push("alice/app", "1", &image(["base"]));
    // One's own list has one's own alone; somebody else's id is as absent as one that never was.
    assert_eq!(eve.api("GET", "/me/tokens", None).expect(200).json(), json!({ "entries": [] }));
    let never = eve.api("DELETE", "/me/tokens/0000000000000000", None);
    for id in [&id, &admins, &machines] {
        let told = eve.api("DELETE", &format!("/me/tokens/{id}"), None).refused(404, "NOT_FOUND");
        assert_eq!(told.json(), never.json());
    }
    let digest = image(["base"]).digest;
    let (theirs, secrets) =
        (format!("/users/alice/tokens/{id}"), format!("/service-accounts/ci/secrets/{machines}"));
    let (given, manifest) =
        (format!("/grants/{grant}"), format!("/repositories/alice/app/-/manifests/{digest}"));
    let new = json!({ "name": "x", "description": "" });
    for (method, path, body) in [
        ("GET", "/users", None),
        ("GET", "/users/alice", None),
        ("GET", "/users/eve", None),
        ("PATCH", "/users/eve", Some(json!({ "admin": true }))),
        ("DELETE", "/users/alice", None),
        ("PUT", "/users/alice/password", Some(json!({ "password": "eve's password" }))),
        ("PUT", "/users/eve/password", Some(json!({ "password": "eve's password" }))),
        ("GET", "/users/alice/tokens", None),
        ("DELETE", "/users/alice/tokens", None),
        ("DELETE", &theirs, None),
        ("GET", "/groups/ops", None),
        ("PUT", "/groups/ops/members/eve", None),
        ("POST", "/groups", Some(new.clone())),
        ("POST", "/service-accounts", Some(new)),
        ("POST", "/service-accounts/ci/secrets", Some(json!({}))),
        ("GET", "/service-accounts/ci/secrets", None),
        ("DELETE", &secrets, None),
        ("GET", "/grants", None),
        ("DELETE", &given, None),
        ("GET", "/events", None),
        ("GET", "/acl/explain?account=eve&action=pull&repository=a", None),
        ("GET", "/repositories/alice/app", None),
        ("GET", "/repositories/alice/nothing", None),
        ("DELETE", "/repositories/alice/app", None),
        ("GET", "/repositories/alice/app/-/tags", None),
        ("DELETE", "/repositories/alice/app/-/tags/1", None),
        ("GET", &manifest, None),
        ("DELETE", &manifest, None),
    ] {
        let told = eve.api(method, path, body.as_ref()).refused(403, "DENIED");
        assert!(!told.to_string().contains("canary"), "{told}");
        server.api(method, path, body.as_ref()).refused(401, "UNAUTHORIZED");
    }
    // An administrator's routes do not mix owners either.
    admin.api("DELETE", &format!("/users/eve/tokens/{id}"), None).refused(404, "NOT_FOUND");
    admin.api("DELETE", &format!("/service-accounts/ci/secrets/{id}"), None).refused(404, "NOT_FOUND");
    admin.api("DELETE", &format!("/users/alice/tokens/{machines}"), None).refused(404, "NOT_FOUND");
    server.login("alice", &secret).send(&get("/v2/alice/app/manifests/1")).expect(200);
    server.login("eve", &secret).send(&get("/v2/")).expect(401);
    server.login("ci", machine["secret"].as_str().unwrap()).send(&get("/v2/")).expect(200);
    let told = alice.api("GET", "/me/tokens", None).expect(200);
    assert!(!told.to_string().contains(&secret) && told.to_string().contains("alice's canary"), "{told}");
}

#[test]
fn the_last_administrator_stays_one() {
    let server = guarded();
    let admin = server.admin();
    let touched = |name: &str| {
        [
            admin.api("DELETE", &format!("/users/{name}"), None),
            admin.api("PATCH", &format!("/users/{name}"), Some(&json!({ "admin": false }))),
            admin.api("PATCH", &format!("/users/{name}"), Some(&json!({ "disabled": true }))),
            admin.api(
                "PATCH",
                &format!("/users/{name}"),
                Some(&json!({ "disabled": true, "admin": true, "email": "" })),
            ),
        ]
    };
    for told in touched("admin") {
        let told = told.refused(403, "DENIED").json()["errors"][0]["message"].clone();
        assert!(told.as_str().unwrap().contains("last administrator"), "{told}");
    }
    // One who cannot log in does not count.
    admin.api("POST", "/users", Some(&json!({ "name": "silent", "admin": true }))).expect(201);
    let asleep = json!({ "name": "asleep", "admin": true, "password": "password of asleep" });
    admin.api("POST", "/users", Some(&asleep)).expect(201);
    admin.api("PATCH", "/users/asleep", Some(&json!({ "disabled": true }))).expect(200);
    for told in touched("admin") {
        told.refused(403, "DENIED");
    }
    admin.api("PATCH", "/users/asleep", Some(&json!({ "disabled": false }))).expect(200);
    admin.api("PATCH", "/users/admin", Some(&json!({ "admin": false }))).expect(200);
    admin.api("GET", "/users", None).refused(403, "DENIED");
    let other = server.login("asleep", "password of asleep");
    for (method, body) in [("DELETE", None), ("PATCH", Some(json!({ "admin": false })))] {
        other.api(method, "/users/asleep", body.as_ref()).refused(403, "DENIED");
    }
    other.api("DELETE", "/users/admin", None).expect(204);
    admin.api("GET", "/me", None).expect(401);
}

#[test]
fn two_administrators_who_take_each_other_away_leave_one() {
    let server = guarded();
    let admin = server.admin();
    for round in 0..5 {
        let name = format!("second{round}");
        let password = format!("password of {name}");
        admin
            .api("POST", "/users", Some(&json!({ "name": name, "admin": true, "password": password })))
            .expect(201);
        let second = server.login(&name, &password);
        second.api("GET", "/me", None).expect(200);
        let demote = Some(json!({ "admin": false }));
        let both = std::thread::scope(|scope| {
            let one = scope.spawn(|| admin.api("PATCH", &format!("/users/{name}"), demote.as_ref()).status);
            let two = scope.spawn(|| second.api("PATCH", "/users/admin", demote.as_ref()).status);
            [one.join().unwrap(), two.join().unwrap()]
        });
        assert_eq!(both.iter().filter(|status| **status == 200).count(), 1, "{both:?}");
        if both[1] == 200 {
            second.api("PATCH", "/users/admin", Some(&json!({ "admin": true }))).expect(200);
            admin.api("PATCH", &format!("/users/{name}"), demote.as_ref()).expect(200);
        }
    }
}

#[test]
fn passwords_have_rules_and_one_s_own_needs_the_old_one() {
    let server = guarded();
    let admin = server.admin();
    let bob = admin.new_user("bob");
    let long = "x".repeat(1025);
    for bad in [
        "",
        "1234567",
        &long,
        "hfp_canary-canary",
        "hfs_canary-canary",
        "hfr_canary-canary",
        "canary\0canary",
    ] {
        for answer in [
            admin.api("POST", "/users", Some(&json!({ "name": "new", "password": bad }))),
            admin.api("PUT", "/users/bob/password", Some(&json!({ "password": bad }))),
            bob.api("PUT", "/me/password", Some(&json!({ "old": "password of bob", "new": bad }))),
        ] {
            assert!(!answer.refused(400, "INVALID").to_string().contains("canary"));
        }
    }
    admin.api("GET", "/users/new", None).expect(404);
    for body in [
        json!({ "new": "a new password" }),
        json!({ "old": null, "new": "a new password" }),
        json!({ "password": "a new password" }),
    ] {
        bob.api("PUT", "/me/password", Some(&body)).refused(400, "INVALID");
    }
    let token = minted(bob, &json!({ "api": true })).1;
    // Neither a wrong password nor a token in its place, also for who came with a token.
    for (client, old) in [(bob, "wrong password"), (bob, &*token), (bob, ""), (server.bearer(&token), &token)]
    {
        client
            .api("PUT", "/me/password", Some(&json!({ "old": old, "new": "a new password" })))
            .refused(400, "INVALID");
    }
    let access = bob.token(&["registry:api:*"]);
    let (with_access, with_token) = (server.bearer(&access), server.bearer(&token));
    with_access.api("GET", "/me", None).expect(200);
    with_token.api("GET", "/me", None).expect(200);
    bob.api("PUT", "/me/password", Some(&json!({ "old": "password of bob", "new": "a:new pässword" })))
        .expect(204);
    for ended in [bob, with_access, with_token] {
        ended.api("GET", "/me", None).expect(401);
    }
    server.login("bob", "a:new pässword").api("GET", "/me", None).expect(200);
    admin.api("GET", "/me", None).expect(200);
}

#[test]
fn guesses_of_the_old_password_are_slowed() {
    let server = guarded();
    // With an access token, as of a session that was found open; who shows the password each time knows it.
    let bob = server.admin().new_user("bob");
    let bob = server.bearer(&bob.token(&["registry:api:*"]));
    let guess = |n: u32| json!({ "old": format!("guess number {n}"), "new": "a new password" });
    let told: Vec<u16> = (0..8).map(|n| bob.api("PUT", "/me/password", Some(&guess(n))).status).collect();
    assert!(told.contains(&429) && told.iter().all(|status| [400, 429].contains(status)), "{told:?}");
}

#[test]
fn a_token_without_the_word_does_not_use_the_api_and_none_gives_more_than_it_has() {
    let server = guarded();
    let admin = server.admin();
    let (_, plain) = minted(admin, &json!({}));
    let ceiling = json!({ "repositories": ["team/**"], "actions": ["pull"] });
    let (_, small) = minted(admin, &json!({ "api": true, "ceiling": ceiling }));
    let (_, whole) = minted(admin, &json!({ "api": true, "lifetime_secs": 3600 }));
    admin.push("team/app", "1", &image(["base"]));
    admin.push("other/app", "1", &image(["base"]));
    for client in [server.bearer(&plain), server.login("admin", &plain)] {
        for path in ["/me", "/users", "/me/tokens", "/events"] {
            client.api("GET", path, None).refused(403, "DENIED");
        }
        client.api("POST", "/me/tokens", Some(&json!({ "api": true }))).refused(403, "DENIED");
        client.api("GET", "/repositories/team/app", None).expect(200);
    }
    let client = server.bearer(&small);
    client.api("GET", "/repositories/team/app", None).expect(200);
    client.api("GET", "/repositories/other/app", None).refused(403, "DENIED");
    client.api("DELETE", "/repositories/team/app", None).refused(403, "DENIED");
    client.api("POST", "/me/tokens", Some(&json!({}))).refused(403, "DENIED");
    client.api("POST", "/users", Some(&json!({ "name": "x" }))).refused(403, "DENIED");
    let listed = client.api("GET", "/repositories", None).expect(200).json();
    assert_eq!(listed["entries"], json!([{ "name": "team/app" }]));
    let client = server.bearer(&whole);
    client.api("GET", "/users", None).expect(200);
    client.api("POST", "/me/tokens", Some(&json!({ "lifetime_secs": 7200 }))).refused(403, "DENIED");
    let (_, child) = minted(client, &json!({ "api": true }));
    server.bearer(&child).api("GET", "/me", None).expect(200);
    // An access token for something else is none for this.
    let other = admin.token(&["repository:team/app:pull"]);
    server.bearer(&other).api("GET", "/users", None).refused(401, "UNAUTHORIZED");
    server.login("admin", ADMIN_PASSWORD).api("GET", "/me", None).expect(200);
}

#[test]
fn a_service_account_has_no_profile_password_or_personal_token() {
    let server = guarded();
    let admin = server.admin();
    admin.api("POST", "/service-accounts", Some(&json!({ "name": "ci" }))).expect(201);
    let secret = |body: Value| admin.api("POST", "/service-accounts/ci/secrets", Some(&body));
    let first = secret(json!({ "api": true })).expect(201).json();
    let second = secret(json!({})).expect(201).json();
    secret(json!({})).refused(403, "DENIED");
    let ci = server.login("ci", first["secret"].as_str().unwrap());
    let me = ci.api("GET", "/me", None).expect(200).json();
    assert_eq!(
        (&me["kind"], &me["admin"], me.get("profile")),
        (&json!("service-account"), &json!(false), None)
    );
    ci.api("PATCH", "/me", Some(&json!({ "email": "a@b" }))).refused(400, "INVALID");
    ci.api("PUT", "/me/password", Some(&json!({ "old": first["secret"], "new": "a new password" })))
        .refused(400, "INVALID");
    ci.api("POST", "/me/tokens", Some(&json!({}))).refused(403, "DENIED");
    admin.api("GET", "/users/ci", None).expect(404);
    admin.api("PUT", "/users/ci/password", Some(&json!({ "password": "a new password" }))).expect(404);
    // Rotation: both hold, then one.
    let id = first["token"]["id"].as_str().unwrap();
    server.login("ci", second["secret"].as_str().unwrap()).send(&get("/v2/")).expect(200);
    admin.api("DELETE", &format!("/service-accounts/ci/secrets/{id}"), None).expect(204);
    ci.send(&get("/v2/")).expect(401);
    server.login("ci", second["secret"].as_str().unwrap()).send(&get("/v2/")).expect(200);
    admin.api("PATCH", "/service-accounts/ci", Some(&json!({ "disabled": true }))).expect(200);
    server.login("ci", second["secret"].as_str().unwrap()).send(&get("/v2/")).expect(401);
}
