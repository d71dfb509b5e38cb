//! An upload belongs to the account that began it: nobody else sees it, writes to it, ends it or throws it away, and
//! its own account goes on with whatever credential it has then.

use crate::testkit::accounts::{guarded, guarded_with, user};
use crate::testkit::client::{Client, delete, get, patch, post, put};
use crate::testkit::forge::{ForgersKey, opened, with};
use crate::testkit::image::{blob, digest_of, image};
use crate::testkit::push::closing;
use crate::testkit::server::{Home, Running};
use serde_json::json;

const SCOPE: &str = "repository:shared/app:pull,push";

fn shared() -> Running {
    let server = guarded();
    let admin = server.admin();
    for name in ["alice", "bob"] {
        admin.new_user(name);
        admin.grant(&user(name), "shared/**", &["pull", "push", "delete"]);
    }
    admin.grant(&json!({ "kind": "anonymous" }), "shared/**", &["pull", "push"]);
    server
}

fn alice(server: &Running) -> Client {
    server.login("alice", "password of alice")
}

#[test]
fn an_upload_is_unknown_to_every_other_account() {
    let server = shared();
    let alice = alice(&server);
    let bytes = blob("layer");
    let location = alice.open_upload("shared/app");
    let location = alice.send(&patch(&location).body(&bytes[..100])).expect(202).need("location").to_owned();
    let id = location.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let nowhere = location.replace(&id, "00000000-0000-4000-8000-000000000000");
    let bob = server.login("bob", "password of bob");
    let others = [
        ("bob", bob),
        ("bob's token", server.bearer(&bob.token(&[SCOPE]))),
        ("an administrator", server.admin()),
        ("nobody", *server),
        ("nobody's token", server.bearer(&server.token(&[SCOPE]))),
    ];
    for (who, other) in others {
        for (there, absent) in [
            (get(&location), get(&nowhere)),
            (patch(&location).body("evil"), patch(&nowhere).body("evil")),
            (
                patch(&location).header("Content-Range", "100-103").body("evil"),
                patch(&nowhere).header("Content-Range", "100-103").body("evil"),
            ),
            (
                put(closing(&location, &digest_of("layer"))).body(&bytes[100..]),
                put(closing(&nowhere, &digest_of("layer"))).body(&bytes[100..]),
            ),
            (delete(&location), delete(&nowhere)),
        ] {
            let answer = other.send(&there).refused(404, "BLOB_UPLOAD_UNKNOWN");
            let hide = [id.as_str(), "00000000-0000-4000-8000-000000000000"];
            assert_eq!(answer.seen(&hide), other.send(&absent).seen(&hide), "{who}: {there:?}");
        }
        // Nor under the name of another repository.
        let moved = location.replace("shared/app", "shared/other");
        let told = other.send(&get(&moved));
        assert!(matches!(told.status, 401 | 404), "{who}: {told}");
    }
    // It stands as it stood, for whatever alice shows.
    assert_eq!(alice.send(&get(&location)).expect(204).need("range"), "0-99");
    let fresh = server.bearer(&alice.token(&[SCOPE]));
    fresh.send(&patch(&location).body(&bytes[100..200])).expect(202);
    let (_, pat) = alice.mint(&json!({ "ceiling": { "repositories": ["shared/**"], "actions": ["push"] } }));
    server.bearer(&pat).send(&patch(&location).body(&bytes[200..300])).expect(202);
    alice.send(&put(closing(&location, &digest_of("layer"))).body(&bytes[300..])).expect(201);
    assert_eq!(
        alice.send(&get(format!("/v2/shared/app/blobs/{}", digest_of("layer")))).expect(200).body,
        bytes
    );
}

#[test]
fn an_upload_ends_with_the_right_to_push() {
    let server = shared();
    let (admin, alice) = (server.admin(), alice(&server));
    admin.new_user("carol");
    let grant = admin.grant(&user("carol"), "carol/**", &["pull", "push"]);
    let carol = server.login("carol", "password of carol");
    let token = server.bearer(&carol.token(&["repository:carol/app:pull,push"]));
    let location = token.open_upload("carol/app");
    token.send(&patch(&location).body("one")).expect(202);
    admin.api("DELETE", &format!("/grants/{grant}"), None).expect(204);
    for client in [carol, token] {
        for call in [
            get(&location),
            patch(&location).body("two"),
            put(closing(&location, &digest_of("x"))),
            delete(&location),
        ] {
            client.send(&call).refused(403, "DENIED");
        }
    }
    // And with the account.
    let location = alice.open_upload("shared/app");
    admin.api("PATCH", "/users/alice", Some(&json!({ "disabled": true }))).expect(200);
    alice.send(&patch(&location).body("one")).refused(401, "UNAUTHORIZED");
    // What comes after it with the same name does not go on with it.
    admin.api("DELETE", "/users/alice", None).expect(204);
    let next = admin.new_user("alice");
    admin.grant(&user("alice"), "shared/**", &["pull", "push"]);
    next.send(&delete("/v2/shared/none/manifests/1")).refused(403, "DENIED");
    next.open_upload("shared/app");
}

#[test]
fn an_upload_goes_on_when_its_token_has_expired_and_nothing_else_does() {
    let home = Home::new();
    let (key, path) = (ForgersKey::new(), home.folder().join("key.pem"));
    std::fs::write(&path, key.pem()).unwrap();
    let path = path.display();
    let server = guarded_with(home.config(&format!("[auth.signing]\nkey = \"{path}\"\n")));
    let admin = server.admin();
    admin.push("shared/app", "1", &image(["base"]));
    for name in ["alice", "bob"] {
        admin.new_user(name);
        admin.grant(&user(name), "shared/**", &["pull", "push", "delete"]);
    }
    // The same token as it will be in ten minutes: the registry's own key signs it, which the test has made.
    let expired = |name: &str, scope: &str| {
        let (header, claims) = opened(&server.login(name, &format!("password of {name}")).token(&[scope]));
        let ago = claims["iat"].as_u64().unwrap() - 600;
        let claims =
            with(&with(&with(&claims, "exp", json!(ago + 300)), "iat", json!(ago)), "nbf", json!(ago));
        server.bearer(&key.token(&header, &claims))
    };
    let alice = alice(&server);
    let bytes = blob("layer");
    let location = server.bearer(&alice.token(&[SCOPE])).open_upload("shared/app");
    let late = expired("alice", SCOPE);
    let location = late.send(&patch(&location).body(&bytes[..500])).expect(202).need("location").to_owned();
    assert_eq!(late.send(&get(&location)).expect(204).need("range"), "0-499");
    // Another's expired token, one for another thing, and one that a stranger has: no.
    expired("bob", SCOPE).send(&get(&location)).refused(404, "BLOB_UPLOAD_UNKNOWN");
    for scope in ["repository:shared/app:pull", "repository:shared/other:pull,push", "registry:catalog:*"] {
        expired("alice", scope).send(&patch(&location).body("x")).refused(401, "UNAUTHORIZED");
    }
    // Nothing else that was begun or is to begin.
    for call in [
        get("/v2/"),
        get("/v2/shared/app/manifests/1"),
        get("/v2/_catalog"),
        post("/v2/shared/app/blobs/uploads/"),
        post(format!("/v2/shared/app/blobs/uploads/?digest={}", digest_of("layer"))).body(&bytes),
        delete("/v2/shared/app/manifests/1"),
        get("/api/v1/me"),
        get("/api/v1/repositories/shared/app"),
    ] {
        let answer = late.send(&call).refused(401, "UNAUTHORIZED");
        assert!(answer.need("www-authenticate").contains("invalid_token"), "{call:?}: {answer}");
    }
    late.send(&put(closing(&location, &digest_of("layer"))).body(&bytes[500..])).expect(201);
    assert!(alice.has_blob("shared/app", &digest_of("layer")));
    // And not for an account that is disabled meanwhile.
    let location = alice.open_upload("shared/app");
    admin.api("PATCH", "/users/alice", Some(&json!({ "disabled": true }))).expect(200);
    late.send(&patch(&location).body("x")).refused(401, "UNAUTHORIZED");
}
