//! The admin API under attack: routes without a guard, fields that nobody may set, other people's ids, pages of other
//! sites, and queries that mean something to a database.

use crate::testkit::accounts::{guarded, guarded_with, minted, user};
use crate::testkit::answer::Answer;
use crate::testkit::client::{Client, get, post, request};
use crate::testkit::image::{digest_of, image};
use crate::testkit::server::{Home, Running, running};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt as _;

/// Method and path of each route that the document of the API names, with something in place of the braces.
fn routes(server: &Running) -> Vec<(String, String)> {
    let document = server.send(&get("/api/v1/openapi.json")).expect(200).json();
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        let filled = [
            ("{name}", "admin"),
            ("{member}", "admin"),
            ("{id}", "0123456789abcdef"),
            ("{repository}", "private/app"),
            ("{tag}", "1"),
        ]
        .iter()
        .fold(path.to_owned(), |path, (brace, text)| path.replace(brace, text))
        .replace("{digest}", &digest_of("base"));
        assert!(!filled.contains('{'), "{filled}");
        for method in methods.as_object().unwrap().keys().filter(|method| *method != "parameters") {
            routes.push((method.to_uppercase(), filled.clone()));
        }
    }
    assert!(routes.len() > 40, "{routes:?}");
    routes
}

#[test]
fn every_route_of_the_api_has_a_guard() {
    let server = guarded();
    let admin = server.admin();
    admin.push("private/app", "1", &image(["base"]));
    let bob = admin.new_user("bob");
    let bob_token = server.bearer(&bob.token(&["repository:private/app:pull,push,delete"]));
    let own = ["/me", "/repositories"];
    for (method, path) in routes(&server) {
        if path == "/openapi.json" {
            continue;
        }
        let body = if matches!(method.as_str(), "POST" | "PUT" | "PATCH") { Some(json!({})) } else { None };
        let stranger = server.api(&method, &path, body.as_ref()).refused(401, "UNAUTHORIZED");
        assert!(stranger.header("www-authenticate").is_some(), "{method} {path}: {stranger}");
        server.login("bob", "wrong").api(&method, &path, body.as_ref());
        bob.send(&get("/v2/")).expect(200); // makes the throttle forget the wrong one
        let limited = bob_token.api(&method, &path, body.as_ref());
        assert!(matches!(limited.status, 401 | 403), "{method} {path}: {limited}");
        if !own.iter().any(|own| path == *own || path.starts_with("/me/")) {
            bob.api(&method, &path, body.as_ref()).refused(403, "DENIED");
        }
    }
    assert_eq!(admin.tags("private/app"), ["1"]);
    assert_eq!(admin.api("GET", "/users", None).json()["entries"].as_array().unwrap().len(), 2);
}

#[test]
fn every_route_that_changes_a_registry_has_a_guard() {
    // CVE-2026-41888: one way to delete was forgotten.
    let server = guarded();
    let admin = server.admin();
    let made = image(["base"]);
    admin.push("private/app", "1", &made);
    let bob = admin.new_user("bob");
    admin.grant(&user("bob"), "private/**", &["pull"]);
    let base = digest_of("base");
    let paths = [
        "manifests/1".to_owned(),
        format!("manifests/{}", made.digest),
        format!("manifests/{}?tag=1", made.digest),
        format!("blobs/{base}"),
        "blobs/uploads/".into(),
        "blobs/uploads".into(),
        format!("blobs/uploads/?digest={base}"),
        format!("blobs/uploads/?mount={base}&from=private/app"),
        "blobs/uploads/00000000-0000-4000-8000-000000000000".into(),
        format!("blobs/uploads/00000000-0000-4000-8000-000000000000?digest={base}"),
        "tags/list".into(),
        format!("referrers/{base}"),
    ];
    for path in paths {
        for method in ["PUT", "POST", "PATCH", "DELETE"] {
            let call = request(method, format!("/v2/private/app/{path}")).body("{}");
            for (client, refused) in [(*server, 401), (bob, 403)] {
                let status = client.send(&call).status;
                assert!([refused, 404, 405, 400].contains(&status), "{method} {path}: {status}");
                // A route that is there has its guard before anything else.
                let known = changes_something(method, &path);
                assert!(!known || status == refused, "{method} {path}: {status}");
            }
        }
    }
    assert_eq!(admin.tags("private/app"), ["1"]);
    assert!(admin.has_blob("private/app", &base));
}

/// The routes of the specification that change something.
fn changes_something(method: &str, path: &str) -> bool {
    let upload = path.contains("uploads/0");
    match method {
        "PUT" => path.starts_with("manifests/") || upload && path.contains("digest="),
        "POST" => path.starts_with("blobs/uploads") && !upload,
        "PATCH" => upload && !path.contains('?'),
        "DELETE" => {
            path.starts_with("manifests/") && !path.contains('?')
                || path.starts_with("blobs/sha256")
                || upload && !path.contains('?')
        }
        _ => false,
    }
}

#[test]
fn nobody_gives_themselves_what_they_may_not_have() {
    // CVE-2019-16097: `has_admin_role` in the body of one's own registration.
    let server = guarded();
    let bob = server.admin().new_user("bob");
    for field in [
        "admin",
        "is_admin",
        "has_admin_role",
        "disabled",
        "name",
        "groups",
        "epoch",
        "password",
        "kind",
        "source",
        "__proto__",
    ] {
        for value in [json!(true), json!("admin"), json!(["admins"]), json!(7)] {
            let answer = bob.api("PATCH", "/me", Some(&json!({ "first_name": "Bob", field: value })));
            assert_eq!(answer.status, 400, "{field}: {answer}");
            for body in [json!({ field: value }), json!({ "description": "x", field: value })] {
                if !matches!(field, "api" | "description") {
                    let answer = bob.api("POST", "/me/tokens", Some(&body));
                    assert_eq!(answer.status, 400, "{field}: {answer}");
                }
            }
        }
    }
    // A field twice: the first is checked and the second taken, somewhere.
    let call = request("PATCH", "/api/v1/me").header("Content-Type", "application/json");
    for body in [
        r#"{"email":"a@b","email":"c@d"}"#,
        r#"{"first_name":"x","admin":true,"admin":false}"#,
        "[]",
        "null",
        "{",
        "",
        "\u{feff}{}",
    ] {
        assert_eq!(bob.send(&call.clone().body(body)).status, 400, "{body}");
    }
    for (method, path) in [
        ("PATCH", "/users/bob"),
        ("PATCH", "/users/admin"),
        ("PUT", "/users/bob/password"),
        ("POST", "/users"),
        ("PUT", "/groups/admins/members/bob"),
        ("POST", "/grants"),
    ] {
        let body = json!({ "admin": true, "name": "eve", "password": "a long password", "subject": user("bob"), "repository": "**", "actions": ["pull"] });
        bob.api(method, path, Some(&body)).refused(403, "DENIED");
    }
    let me = bob.api("GET", "/me", None).expect(200).json();
    assert_eq!((&me["admin"], &me["name"]), (&json!(false), &json!("bob")));
    assert!(
        me["profile"]["first_name"].as_str().unwrap_or_default().is_empty(),
        "nothing was taken of a bad body: {me}"
    );
    // Administrators cannot say what is not for anybody to say.
    for body in [
        json!({ "name": "eve", "epoch": 1 }),
        json!({ "name": "eve", "password_hash": "x" }),
        json!({ "name": "eve", "source": "ldap" }),
    ] {
        assert_eq!(server.admin().api("POST", "/users", Some(&body)).status, 400, "{body}");
    }
}

#[test]
fn an_id_of_somebody_else_is_an_id_of_nothing() {
    let server = guarded();
    let admin = server.admin();
    let (alice, bob) = (admin.new_user("alice"), admin.new_user("bob"));
    let (id, pat) = alice.mint(&json!({}));
    let unknown = "0".repeat(id.len());
    let theirs = |client: Client, base: &str| {
        let answers = [&id, &unknown].map(|id| client.api("DELETE", &format!("{base}/{id}"), None));
        assert_eq!(answers[0].status, 404, "{base}: {}", answers[0]);
        assert_eq!(answers[0].seen(&[&id]), answers[1].seen(&[&unknown]), "{base}");
    };
    theirs(bob, "/me/tokens");
    theirs(admin, "/me/tokens");
    theirs(admin, "/users/bob/tokens");
    for name in ["robot", "other"] {
        admin.api("POST", "/service-accounts", Some(&json!({ "name": name }))).expect(201);
    }
    theirs(admin, "/service-accounts/robot/secrets");
    let (secret, text) = minted(&admin.api("POST", "/service-accounts/robot/secrets", Some(&json!({}))));
    for base in ["/service-accounts/other/secrets", "/me/tokens", "/users/bob/tokens"] {
        assert_eq!(admin.api("DELETE", &format!("{base}/{secret}"), None).status, 404, "{base}");
    }
    server.login("alice", &pat).send(&get("/v2/")).expect(200);
    server.login("robot", &text).send(&get("/v2/")).expect(200);
    assert_eq!(bob.api("GET", "/me/tokens", None).json()["entries"], json!([]));
    // No list tells a secret or its hash again.
    for path in [
        "/me/tokens",
        "/users/alice/tokens",
        "/service-accounts/robot/secrets",
        "/users/alice",
        "/users",
        "/service-accounts/robot",
    ] {
        let client = if path == "/me/tokens" { alice } else { admin };
        let told = client.api("GET", path, None).expect(200);
        let body = String::from_utf8_lossy(&told.body).into_owned();
        assert!(
            !body.contains(&pat)
                && !body.contains(&text)
                && !body.contains("argon2")
                && !body.contains("hash"),
            "{path}: {body}"
        );
    }
}

#[test]
fn pages_of_other_sites_can_send_nothing_and_read_nothing() {
    let server = guarded();
    let admin = server.admin();
    let body = json!({ "name": "eve", "password": "a long password" }).to_string();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "text/json",
    ] {
        let call = post("/api/v1/users")
            .header("Origin", "https://evil.example")
            .header("Content-Type", kind)
            .body(&body);
        assert_eq!(admin.send(&call).status, 400, "{kind:?}");
    }
    assert_eq!(admin.send(&post("/api/v1/users").body(&body)).status, 400);
    for path in ["/v2/", "/api/v1/me", "/api/v1/users", "/token", "/api/v1/openapi.json", "/healthz"] {
        let preflight = request("OPTIONS", path)
            .header("Origin", "https://evil.example")
            .header("Access-Control-Request-Method", "POST");
        for answer in
            [admin.send(&preflight), admin.send(&get(path).header("Origin", "https://evil.example"))]
        {
            assert!(
                answer.headers.iter().all(|(name, _)| !name.starts_with("access-control-")),
                "{path}: {answer}"
            );
            assert!(answer.header("set-cookie").is_none(), "{path}: {answer}");
            assert_eq!(answer.need("x-content-type-options"), "nosniff");
            if !path.starts_with("/v2") {
                assert!(
                    answer.need("content-security-policy").contains("default-src 'none'"),
                    "{path}: {answer}"
                );
            }
        }
    }
    // A Basic dialog of the browser would keep the password for every site that links here.
    let challenge = server.send(&get("/api/v1/me")).expect(401).need("www-authenticate").to_owned();
    assert!(challenge.starts_with("Bearer "), "{challenge}");
}

#[test]
fn what_people_write_about_themselves_stays_text() {
    let server = guarded();
    let admin = server.admin();
    let bob = admin.new_user("bob");
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{7*7}} ${7*7} =cmd()";
    bob.api("PATCH", "/me", Some(&json!({ "first_name": evil }))).expect(200);
    bob.mint(&json!({ "description": evil }));
    admin.push("bob/app", "1", &image(["base"]).annotated("org.opencontainers.image.description", evil));
    for path in ["/users/bob", "/users", "/users/bob/tokens", "/repositories/bob/app/-/tags/1"] {
        let answer = admin.api("GET", path, None).expect(200);
        assert_eq!(answer.need("content-type"), "application/json");
        assert_eq!(answer.need("x-content-type-options"), "nosniff");
        answer.json();
    }
    assert_eq!(admin.api("GET", "/users/bob", None).json()["first_name"], evil);
    for name in ["a\r\nb", "a\u{0}b", "a\u{1b}[31mb"] {
        assert_eq!(bob.api("PATCH", "/me", Some(&json!({ "first_name": name }))).status, 400, "{name:?}");
        assert_eq!(
            bob.api("POST", "/me/tokens", Some(&json!({ "description": name }))).status,
            400,
            "{name:?}"
        );
    }
}

#[test]
fn queries_that_mean_something_elsewhere_mean_nothing_here() {
    let server = guarded();
    let admin = server.admin();
    admin.new_user("alice");
    admin.push("team/app", "1", &image(["base"]));
    let lists = [
        "/users",
        "/groups",
        "/service-accounts",
        "/grants",
        "/repositories",
        "/repositories/team/app/-/tags",
        "/events",
    ];
    for list in lists {
        for n in ["0", "-1", "1001", "2147483648", "18446744073709551616", "1e3", "0x10", "many", "%00"] {
            admin.api("GET", &format!("{list}?n={n}"), None).refused(400, "INVALID");
        }
        for last in ["%00", "%ff%fe", "../../x", "'%20OR%201=1--", &"x".repeat(4000)] {
            let answer = admin.api("GET", &format!("{list}?last={last}"), None);
            assert!(matches!(answer.status, 200 | 400), "{list}?last={last}: {answer}");
        }
        // CVE-2025-30086 and its like: no filter and no order reaches into what is kept.
        let plain = |answer: Answer| answer.expect(200).json()["entries"].as_array().unwrap().len();
        let all = plain(admin.api("GET", &format!("{list}?n=1000"), None));
        if list != "/events" {
            for more in
                ["q=password=~argon2", "sort=password", "filter=hash", "order=1;drop", "fields=password"]
            {
                assert_eq!(
                    plain(admin.api("GET", &format!("{list}?n=1000&{more}"), None)),
                    all,
                    "{list}?{more}"
                );
            }
        }
    }
    for search in ["'%20OR%20''='", "%25", "_", "argon2", ".*", "password", "$2y"] {
        for list in ["/users", "/repositories"] {
            let found = admin.api("GET", &format!("{list}?search={search}"), None).expect(200).json();
            assert_eq!(found["entries"], json!([]), "{list}?search={search}");
        }
    }
    let explain = |query: &str| admin.api("GET", &format!("/acl/explain?{query}"), None).status;
    for query in [
        "",
        "account=alice",
        "account=alice&action=own&repository=a",
        "account=alice&action=pull&repository=../x",
        "account=alice&action=pull&repository=a&address=nowhere",
    ] {
        assert_eq!(explain(query), 400, "{query}");
    }
    for (path, body) in [
        ("/users", vec![b' '; 300 << 10]),
        ("/grants", b"[".repeat(100_000)),
        ("/groups", br#"{"name":"#.repeat(1000)),
    ] {
        let call = post(format!("/api/v1{path}")).header("Content-Type", "application/json").body(body);
        let status = admin.send(&call).status;
        assert!(matches!(status, 400 | 413), "{path}: {status}");
    }
}

#[test]
fn nothing_that_is_answered_leads_to_another_origin() {
    let server = guarded();
    let admin = server.admin();
    admin.push("team/app", "1", &image(["base"]));
    for path in [
        "//evil.example/",
        "//evil.example/v2/",
        "/v2//evil.example",
        "/token?redirect_uri=https://evil.example&service=holdfast",
        "/api/v1/me?redirect_url=https://evil.example",
        "/login?next=//evil.example",
        "/\\evil.example",
    ] {
        for client in [*server, admin] {
            let answer = client.send(
                &get(path)
                    .header("X-Forwarded-Host", "evil.example")
                    .header("Referer", "https://evil.example/"),
            );
            assert!(!(300..400).contains(&answer.status), "{path}: {answer}");
            assert!(answer.headers.iter().all(|(_, value)| !value.contains("evil")), "{path}: {answer}");
        }
    }
    for call in [
        post("/v2/team/app/blobs/uploads/"),
        post(format!("/v2/team/app/blobs/uploads/?mount={}&from=team/app", digest_of("base"))),
    ] {
        let answer = admin.send(&call.header("X-Forwarded-Host", "evil.example"));
        assert!(answer.need("location").starts_with("/v2/team/app/blobs/"), "{answer}");
    }
}

#[test]
fn there_is_no_default_password_and_the_first_one_is_its_owner_s_alone() {
    let server = running(Home::new().with_made_up_password());
    let file = server.home.data().join("initial-admin-password");
    let told = std::fs::metadata(&file).unwrap();
    assert_eq!(told.mode() & 0o777, 0o600);
    let password = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(password.len() >= 16, "{} characters", password.len());
    for guess in ["admin", "password", "holdfast", "Harbor12345", "changeme", ""] {
        server
            .send_from(
                [127, 0, 0, 9],
                &get("/v2/").header("Authorization", crate::testkit::accounts::basic("admin", guess)),
            )
            .expect(401);
        server.login("admin", &password).send_from([127, 0, 0, 9], &get("/v2/")).expect(200);
    }
    let admin = server.login("admin", &password);
    let change = json!({ "old": password, "new": "another long password" });
    admin.api("PUT", "/me/password", Some(&change)).expect(204);
    assert!(!file.exists(), "it is removed with the first change");
    assert_eq!(admin.send(&get("/v2/")).status, 401);
    assert!(!server.server.log().contains(&password));
    assert!(server.server.log().contains("initial-admin-password"), "the log names the file");
    assert!(server.server.further_lines().iter().all(|line| !line.contains(&password)));
    // Another one is different.
    let other = running(Home::new().with_made_up_password());
    assert_ne!(
        std::fs::read_to_string(other.home.data().join("initial-admin-password")).unwrap().trim(),
        password
    );
}

#[test]
fn what_is_allowed_is_not_written_down_as_refused() {
    let server = guarded_with(Home::new());
    let admin = server.admin();
    let bob = admin.new_user("bob");
    for path in ["/me", "/users", "/repositories", "/acl/lint"] {
        admin.api("GET", path, None).expect(200);
    }
    bob.api("GET", "/me", None).expect(200);
    bob.api("GET", "/users", None).expect(403);
    let refused = |entries: &Value| -> Vec<String> {
        let entries = entries["entries"].as_array().unwrap().iter();
        entries
            .filter(|event| event["what"] == "access-refused")
            .map(|event| event["who"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    crate::testkit::server::eventually("the refusal is in the trail", || {
        !refused(&admin.api("GET", "/events?n=1000", None).json()).is_empty()
    });
    assert_eq!(refused(&admin.api("GET", "/events?n=1000", None).json()), ["bob"]);
}
