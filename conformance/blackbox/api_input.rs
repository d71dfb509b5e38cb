//! What strangers may send to the admin API: bodies that are none, names that lie, fields that nobody may set. All is
//! refused in one form, and changes nothing.

use crate::testkit::accounts::guarded;
use crate::testkit::client::{Client, get, request};
use crate::testkit::server::Running;
use serde_json::{Value, json};

/// What takes a body: method, path, and a body that is fine.
fn taking() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("POST", "/users", json!({ "name": "x" })),
        ("PATCH", "/users/bob", json!({ "email": "" })),
        ("PUT", "/users/bob/password", json!({ "password": "a new password" })),
        ("POST", "/groups", json!({ "name": "x" })),
        ("PATCH", "/groups/dev", json!({ "description": "x" })),
        ("POST", "/service-accounts", json!({ "name": "x" })),
        ("PATCH", "/service-accounts/ci", json!({ "description": "x" })),
        ("POST", "/service-accounts/ci/secrets", json!({ "description": "x" })),
        (
            "POST",
            "/grants",
            json!({ "subject": { "kind": "everyone" }, "repository": "x", "actions": ["pull"] }),
        ),
        ("PATCH", "/me", json!({ "email": "" })),
        ("PUT", "/me/password", json!({ "old": "password of eve", "new": "another password" })),
        ("POST", "/me/tokens", json!({ "description": "x" })),
    ]
}

fn peopled() -> (Running, Client, Client) {
    let server = guarded();
    let admin = server.admin();
    admin.new_user("bob");
    admin.api("POST", "/groups", Some(&json!({ "name": "dev" }))).expect(201);
    admin.api("POST", "/service-accounts", Some(&json!({ "name": "ci" }))).expect(201);
    let eve = admin.new_user("eve");
    (server, admin, eve)
}

fn everything(admin: Client) -> Vec<Value> {
    ["/users", "/groups", "/service-accounts", "/grants", "/users/eve/tokens", "/service-accounts/ci/secrets"]
        .iter()
        .map(|path| admin.api("GET", path, None).expect(200).json())
        .collect()
}

#[test]
fn bodies_that_are_none_are_refused_and_change_nothing() {
    let (_server, admin, eve) = peopled();
    let before = everything(admin);
    for (method, path, fine) in taking() {
        let client = if path.starts_with("/me") { eve } else { admin };
        let at = format!("/api/v1{path}");
        let deep = format!("{{\"description\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let mut unknown = fine.clone();
        unknown["admni"] = json!(true);
        let with = |body: &[u8]| {
            client.send(&request(method, &at).header("Content-Type", "application/json").body(body))
        };
        for body in [
            &b""[..],
            b"{",
            b"null",
            b"[]",
            b"7",
            b"\"name\"",
            b"\xff\xfe{}",
            b"{\"name\":\"a\"} {}",
            b"{\"name\":\"\xff\"}",
            b"{'name':'x'}",
            b"\xef\xbb\xbf{}",
            deep.as_bytes(),
            unknown.to_string().as_bytes(),
        ] {
            let answer = with(body).refused(400, "INVALID");
            assert!(answer.body.len() < 1000, "{method} {path}: {answer}");
        }
        with(&vec![b' '; (256 << 10) + 1]).expect(413);
        let chunked = request(method, &at).header("Content-Type", "application/json");
        client.send(&chunked.chunked(vec![b' '; (256 << 10) + 1], 8192)).expect(413);
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "",
            "application/jsonx",
        ] {
            let told = client.send(&request(method, &at).header("Content-Type", kind).body(fine.to_string()));
            assert!(
                told.refused(400, "INVALID").json()["errors"][0]["message"]
                    .as_str()
                    .unwrap()
                    .contains("Content-Type")
            );
        }
        client.send(&request(method, &at).body(fine.to_string())).refused(400, "INVALID");
    }
    assert_eq!(everything(admin), before);
}

#[test]
fn a_body_may_say_its_charset() {
    let (_server, admin, _) = peopled();
    let made = request("POST", "/api/v1/groups").header("Content-Type", "Application/JSON; charset=utf-8");
    admin.send(&made.body(r#"{"name":"ops"}"#)).expect(201);
}

#[test]
fn no_privileged_field_can_be_set_on_oneself() {
    let (_server, admin, eve) = peopled();
    let before = everything(admin);
    for field in [
        "admin",
        "disabled",
        "name",
        "password",
        "epoch",
        "initial",
        "removing",
        "groups",
        "source",
        "created",
        "has_admin_role",
        "sysadmin_flag",
    ] {
        for value in [json!(true), json!("admin"), json!(1), json!(["admins"]), Value::Null] {
            eve.api("PATCH", "/me", Some(&json!({ "email": "a@b", field: value }))).refused(400, "INVALID");
        }
    }
    for field in
        ["owner", "kind", "id", "hash", "created", "expires", "epoch", "secret", "user", "groups", "labels"]
    {
        for value in
            [json!("admin"), json!({ "kind": "user", "name": "admin", "source": "accounts" }), json!(0)]
        {
            let mut body = json!({ "description": "x" });
            body[field] = value;
            eve.api("POST", "/me/tokens", Some(&body)).refused(400, "INVALID");
        }
    }
    for field in ["name", "user", "admin"] {
        let mut body = json!({ "old": "password of eve", "new": "another password" });
        body[field] = json!("admin");
        eve.api("PUT", "/me/password", Some(&body)).refused(400, "INVALID");
    }
    // Nor do a query, another method or another form of the same path help.
    eve.api("PATCH", "/me?admin=true", Some(&json!({}))).expect(200);
    assert_eq!(eve.api("GET", "/me", None).json()["admin"], false);
    eve.send(
        &request("POST", "/api/v1/me")
            .header("X-HTTP-Method-Override", "PATCH")
            .header("Content-Type", "application/json")
            .body(r#"{"admin":true}"#),
    )
    .expect(405);
    for path in ["/users/eve", "/users/EVE", "/users/%65ve", "/users/eve/", "//users/eve", "/me/../users/eve"]
    {
        let answer = eve.api("PATCH", path, Some(&json!({ "admin": true })));
        assert!([403, 404].contains(&answer.status), "{path}: {answer}");
    }
    let me = admin.api("GET", "/users/eve", None).expect(200).json();
    assert_eq!((&me["admin"], &me["email"]), (&json!(false), &json!("")));
    assert_eq!(everything(admin), before);
    // A token gives no more than its maker has.
    let token = eve.api("POST", "/me/tokens", Some(&json!({ "api": true }))).expect(201).json();
    eve.bearer(token["secret"].as_str().unwrap()).api("GET", "/users", None).refused(403, "DENIED");
}

#[test]
fn names_are_decoded_once_and_those_that_lie_are_refused() {
    let (_server, admin, _) = peopled();
    for (name, encoded) in [
        ("jörg", "j%C3%B6rg"),
        ("a@b.example", "a@b.example"),
        ("x+y", "x+y"),
        ("愛", "%E6%84%9B"),
        ("c_d-1", "%63_d-1"),
    ] {
        admin.api("POST", "/users", Some(&json!({ "name": name }))).expect(201);
        assert_eq!(admin.api("GET", &format!("/users/{encoded}"), None).expect(200).json()["name"], name);
        let every: String = name.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02x}"));
        admin.api("DELETE", &format!("/users/{every}"), None).expect(204);
        admin.api("GET", &format!("/users/{encoded}"), None).refused(404, "NOT_FOUND");
    }
    for path in ["/users", "/groups", "/service-accounts"] {
        for name in [
            "",
            "a/b",
            "..",
            ".",
            "a b",
            "a\nb",
            "a\r\nx: y",
            "a\0",
            "a:b",
            "-rf",
            "a\u{202e}b",
            "a%2fb",
            "<b>",
            "a\\b",
            "'",
            "e\u{301}",
            &"a".repeat(65),
        ] {
            admin.api("POST", path, Some(&json!({ "name": name }))).refused(400, "INVALID");
        }
        for name in ["a%2Fb", "%2e%2e", "%2F", "%00", "%0d%0a", "a%252fb", "%20", "..;"] {
            let answer = admin.api("GET", &format!("{path}/{name}"), None);
            assert!([400, 404].contains(&answer.status), "{path}/{name}: {answer}");
            answer.codes();
        }
        admin.api("GET", &format!("{path}/%ff"), None).expect(404);
    }
    admin.api("POST", "/users", Some(&json!({ "name": "Alice" }))).expect(201);
    for (path, name) in [("/users", "Alice"), ("/users", "alice"), ("/service-accounts", "alice")] {
        admin.api("POST", path, Some(&json!({ "name": name }))).refused(409, "CONFLICT");
    }
    for repository in ["UPPER", "a%2Fb", "a//b", "../x", "%2e%2e/x", "a:b"] {
        let answer = admin.send(&get(format!("/api/v1/repositories/{repository}")));
        assert!([400, 404].contains(&answer.status), "{repository}: {answer}");
    }
}

#[test]
fn profiles_grants_and_tokens_are_checked() {
    let (_server, admin, eve) = peopled();
    let before = everything(admin);
    for (field, value) in [
        ("email", "no address".to_owned()),
        ("email", "a@b\r\nBcc: c@d".into()),
        ("first_name", "x".repeat(129)),
        ("last_name", "a\u{7}b".into()),
    ] {
        for (client, path) in [(admin, "/users/eve"), (eve, "/me")] {
            client.api("PATCH", path, Some(&json!({ field: value }))).refused(400, "INVALID");
        }
    }
    let everyone = json!({ "kind": "everyone" });
    for (subject, repository, actions) in [
        (json!({ "kind": "user" }), json!("a"), json!(["pull"])),
        (json!({ "kind": "user", "name": "" }), json!("a"), json!(["pull"])),
        (json!({ "kind": "root", "name": "x" }), json!("a"), json!(["pull"])),
        (json!({ "kind": "service-account", "name": "A b" }), json!("a"), json!(["pull"])),
        (json!("everyone"), json!("a"), json!(["pull"])),
        (everyone.clone(), json!(""), json!(["pull"])),
        (everyone.clone(), json!("a\nb"), json!(["pull"])),
        (everyone.clone(), json!("x".repeat(513)), json!(["pull"])),
        (everyone.clone(), json!(["a"]), json!(["pull"])),
        (everyone.clone(), json!("a"), json!([])),
        (everyone.clone(), json!("a"), json!(["admin"])),
        (everyone.clone(), json!("a"), json!(["*"])),
        (everyone, json!("a"), json!("pull")),
    ] {
        let body = json!({ "subject": subject, "repository": repository, "actions": actions });
        admin.api("POST", "/grants", Some(&body)).refused(400, "INVALID");
    }
    for body in [
        json!({ "description": "x".repeat(513) }),
        json!({ "ceiling": { "repositories": [], "actions": ["pull"] } }),
        json!({ "ceiling": { "repositories": ["a"], "actions": [] } }),
        json!({ "ceiling": { "repositories": vec!["a"; 101], "actions": ["pull"] } }),
        json!({ "ceiling": { "repositories": ["a"], "actions": ["admin"] } }),
        json!({ "ceiling": { "repositories": ["a"] } }),
        json!({ "lifetime_secs": 0 }),
        json!({ "lifetime_secs": -1 }),
        json!({ "lifetime_secs": 100_000_000_000_u64 }),
        json!({ "api": "yes" }),
    ] {
        eve.api("POST", "/me/tokens", Some(&body)).refused(400, "INVALID");
        admin.api("POST", "/service-accounts/ci/secrets", Some(&body)).refused(400, "INVALID");
    }
    assert_eq!(everything(admin), before);
}
