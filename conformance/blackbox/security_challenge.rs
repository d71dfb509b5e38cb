//! The door itself: credentials that do not read, paths that mean to go round it, and headers that lie about where a
//! request comes from or went to.

use crate::security_tokens::refused_everywhere;
use crate::testkit::accounts::{ADMIN_PASSWORD, basic, guarded, guarded_with, user};
use crate::testkit::answer::Answer;
use crate::testkit::client::{get, post, request};
use crate::testkit::image::{digest_of, image};
use crate::testkit::server::{Home, Running};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

fn half_open() -> Running {
    let server = guarded();
    let admin = server.admin();
    admin.grant(&json!({ "kind": "anonymous" }), "open/**", &["pull", "push"]);
    admin.push("open/app", "1", &image(["base"]));
    admin.push("private/app", "1", &image(["base", "secret"]));
    server
}

#[test]
fn a_credential_that_is_wrong_or_does_not_read_is_never_taken_for_none() {
    let server = half_open();
    server.manifest("open/app", "1");
    let encoded = |text: &[u8]| format!("Basic {}", STANDARD.encode(text));
    for authorization in [
        basic("admin", "wrong"),
        basic("nobody", "wrong"),
        basic("admin", ""),
        encoded(b"admin"),
        encoded(b":"),
        encoded(b""),
        encoded(format!(":{ADMIN_PASSWORD}").as_bytes()),
        encoded(b"\xff\xfe:\xff"),
        encoded(format!("ad\0min:{ADMIN_PASSWORD}").as_bytes()),
        encoded(format!("admin\r\n:{ADMIN_PASSWORD}").as_bytes()),
        "Basic".into(),
        "Basic !!!".into(),
        "Bearer".into(),
        "Digest username=\"admin\"".into(),
        "Negotiate AAAA".into(),
        "garbage".into(),
        ",".into(),
    ] {
        refused_everywhere(&server, &authorization, false);
    }
}

#[test]
fn two_authorization_headers_are_none_of_both() {
    let server = half_open();
    let good = basic("admin", ADMIN_PASSWORD);
    for (first, second) in [(good.as_str(), good.as_str()), (&good, "Bearer x"), ("Bearer x", &good)] {
        for path in ["/v2/", "/v2/open/app/manifests/1", "/token?service=holdfast", "/api/v1/me"] {
            let call = get(path).header("Authorization", first).header("authorization", second);
            server.send(&call).refused(401, "UNAUTHORIZED");
        }
    }
    // One header with both in it is no better.
    for text in [format!("{good}, {good}"), format!("{good}, Bearer x")] {
        server
            .send(&get("/v2/open/app/tags/list").header("Authorization", text))
            .refused(401, "UNAUTHORIZED");
    }
}

#[test]
fn huge_credentials_and_many_scopes_are_refused_and_the_server_goes_on() {
    let server = half_open();
    let huge = format!("Bearer {}", "a".repeat(1 << 20));
    for path in ["/v2/", "/v2/open/app/manifests/1", "/token", "/api/v1/me"] {
        if let Ok(answer) = server.try_send(&get(path).header("Authorization", &huge)) {
            assert!(matches!(answer.status, 400 | 401 | 431), "{answer}");
        }
    }
    let large = format!("Basic {}", STANDARD.encode(format!("admin:{}", "p".repeat(12_000))));
    for path in ["/v2/", "/v2/open/app/manifests/1", "/api/v1/me"] {
        let status = server.send(&get(path).header("Authorization", &large)).status;
        assert!(matches!(status, 401 | 431), "{status}");
    }
    let scopes = |many: usize| {
        let all: Vec<String> = (0..many).map(|nth| format!("&scope=repository:r{nth}:pull")).collect();
        all.concat()
    };
    let admin = server.admin();
    admin.send(&get(format!("/token?service=holdfast{}", scopes(40)))).expect(200);
    if let Ok(answer) = admin.try_send(&get(format!("/token?service=holdfast{}", scopes(10_000)))) {
        assert!(matches!(answer.status, 400 | 414 | 431), "{answer}");
    }
    let login = format!(
        "grant_type=password&service=holdfast&client_id=x&username=admin&password={}",
        ADMIN_PASSWORD.replace(' ', "+").replace('\'', "%27")
    );
    for many in [101, 1000, 10_000] {
        let answer = server.token_form(&format!("{login}{}", scopes(many)));
        assert!(matches!(answer.status, 400 | 413), "{many}: {answer}");
        assert!(answer.json().get("access_token").is_none());
        let one_text = scopes(many).replace("&scope=", "+");
        let answer = server.token_form(&format!("{login}&scope={one_text}"));
        assert!(matches!(answer.status, 400 | 413), "{many}: {answer}");
    }
    server.token_form(&login).expect(200);
    server.manifest("open/app", "1");
}

#[test]
fn scopes_with_controls_and_nonsense_get_nothing() {
    let server = half_open();
    let admin = server.admin();
    for scope in [
        "repository:a%0d%0ab:pull",
        "repository:a%00b:pull",
        "repository",
        "::",
        "repository:a:pull:push:",
        "%ff",
    ] {
        let answer = admin.send(&get(format!("/token?service=holdfast&scope={scope}")));
        assert!(matches!(answer.status, 200 | 400), "{scope}: {answer}");
        assert!(answer.headers.iter().all(|(_, value)| !value.contains("b:pull")), "{scope}: {answer}");
        if answer.status == 200 {
            let given = answer.json()["scope"].as_str().unwrap_or_default().to_owned();
            assert!(given.is_empty() || given.chars().all(|c| !c.is_control()), "{scope}: {given:?}");
        }
    }
    for text in ["a%0d%0aX-Evil:%20yes", "a%22,realm=%22http://evil"] {
        let answer = admin.send(&get(format!("/token?service={text}")));
        assert_eq!(answer.status, 400, "{answer}");
        assert!(answer.header("x-evil").is_none());
        let answer = server.send(&get(format!("/v2/{text}/tags/list")));
        assert!(answer.header("x-evil").is_none(), "{answer}");
        assert!(answer.status == 400 || answer.status == 404, "{answer}");
        assert!(answer.header("www-authenticate").is_none_or(|text| !text.contains("evil")), "{answer}");
    }
    // Names of accounts likewise, whoever makes them.
    for name in ["a\r\nb", "a\u{0}b", "a:b", "", " ", "a\u{202e}b", &"x".repeat(10_000), "a/b", "../admin"] {
        let answer =
            admin.api("POST", "/users", Some(&json!({ "name": name, "password": "long enough a word" })));
        assert_eq!(answer.status, 400, "{name:?}: {answer}");
    }
}

/// Every spelling of a path that some server or proxy takes for a private one.
fn spellings() -> Vec<String> {
    let (layer, rest) = (digest_of("secret"), "private/app/manifests/1");
    let mut all: Vec<String> = [
        format!("//v2/{rest}"),
        format!("/v2//{rest}"),
        format!("/v2/./{rest}"),
        format!("/./v2/{rest}"),
        format!("/v2/../v2/{rest}"),
        format!("/v2/open/app/../../{rest}"),
        format!("/v2/open/app/%2e%2e/%2e%2e/{rest}"),
        format!("/v2/open%2f..%2f..%2f{rest}"),
        format!("/V2/{rest}"),
        format!("/v2%2f{rest}"),
        format!("/%76%32/{rest}"),
        "/v2/private%2fapp/manifests/1".into(),
        "/v2/private%252fapp/manifests/1".into(),
        "/v2/private\\app/manifests/1".into(),
        "/v2/%70rivate/app/manifests/1".into(),
        "/v2/PRIVATE/app/manifests/1".into(),
        "/v2/private/app./manifests/1".into(),
        "/v2/private/app/manifests/1/".into(),
        "/v2/private/app/manifests//1".into(),
        "/v2/private/app/manifests/%31".into(),
        "/v2/private/app/manifests/1%00".into(),
        "/v2/private/app/manifests/1;x".into(),
        "/v2/private/app/manifests/1?x=/v2/open/app/manifests/1".into(),
        "/v2/private/app/manifests/1#/v2/open/app/manifests/1".into(),
        format!("/v2/private/app/blobs/{}", layer.replace(':', "%3a")),
        format!("/v2/private/app/blobs/{}", layer.to_uppercase()),
        "/v2/%5fcatalog".into(),
        "/v2/_CATALOG".into(),
        "/v2/_catalog/".into(),
        "//v2/_catalog".into(),
        "/v2/./_catalog".into(),
        "/v2/_catalog?n=10".into(),
        "/v2/private/app/tags/list/".into(),
        "http://elsewhere/v2/private/app/manifests/1".into(),
        "/api/v1/repositories/private/app".into(),
        "/api/v1//repositories/private/app".into(),
        "/api/v1/./users".into(),
        "/api/v1/users/".into(),
        "/api/v1/%75sers".into(),
        "/api/v1/repositories/open/app/../../private/app".into(),
        "/api/v1/repositories/open/app/-/tags/..%2f..%2f..%2fprivate%2fapp".into(),
        "/api/v1/repositories/private%2fapp".into(),
        "/api/v1/me/../users".into(),
        "/API/v1/users".into(),
        "/api/v1/openapi.json/../users".into(),
        "/healthz/../v2/_catalog".into(),
        "/.well-known/../v2/_catalog".into(),
        "/auth/../v2/_catalog".into(),
    ]
    .to_vec();
    all.sort();
    all
}

#[test]
fn no_spelling_of_a_path_goes_round_the_door() {
    let server = half_open();
    let (reader, secret) = (server.admin().new_user("reader"), image(["base", "secret"]));
    for path in spellings() {
        for client in [*server, reader] {
            for method in ["GET", "HEAD", "DELETE", "PUT", "POST", "PATCH"] {
                let call = if matches!(method, "GET" | "HEAD" | "DELETE") {
                    request(method, &path)
                } else {
                    request(method, &path).body("{}")
                };
                let Ok(answer) = client.try_send(&call) else { continue };
                let what = format!("{method} {path}: {answer}");
                assert!(matches!(answer.status, 200 | 400 | 401 | 403 | 404 | 405), "{what}");
                let body = String::from_utf8_lossy(&answer.body);
                assert!(!body.contains("private/app\""), "{what}");
                assert!(
                    answer.body != secret.bytes
                        && answer.header("docker-content-digest") != Some(&secret.digest),
                    "{what}"
                );
                // The catalog is for everybody who comes in, and shows what is theirs.
                assert!(answer.status != 200 || path.starts_with("/v2/_catalog"), "{what}");
            }
        }
    }
    server.admin().manifest("private/app", "1");
}

#[test]
fn methods_that_claim_to_be_others_are_what_they_are() {
    let server = half_open();
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        server.send(&get("/v2/open/app/manifests/1").header(name, "DELETE")).expect(200);
        server.send(&post("/v2/open/app/manifests/1").header(name, "GET")).refused(405, "UNSUPPORTED");
    }
    for name in ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Uri"] {
        let answer =
            server.send(&get("/v2/open/app/tags/list").header(name, "/v2/private/app/tags/list")).expect(200);
        assert_eq!(answer.json()["name"], "open/app");
    }
    for (name, value) in [
        ("X-Remote-User", "admin"),
        ("X-Forwarded-User", "admin"),
        ("Remote-User", "admin"),
        ("X-Forwarded-Client-Cert", "admin"),
        ("Cookie", "session=admin"),
        ("Proxy-Authorization", &basic("admin", ADMIN_PASSWORD)),
    ] {
        server.send(&get("/api/v1/users").header(name, value)).refused(401, "UNAUTHORIZED");
    }
    for path in [
        "/v2/private/app/tags/list?access_token=x",
        "/v2/private/app/tags/list?account=admin",
        "/api/v1/users?token=x",
    ] {
        server.send(&get(path)).refused(401, "UNAUTHORIZED");
    }
}

fn realm(answer: &Answer) -> String {
    let challenge = answer.need("www-authenticate");
    challenge
        .split(r#"realm=""#)
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
        .to_owned()
}

/// `GET /v2/` with these headers instead of the client's own `Host`.
fn asked_as(server: &Running, lines: &str) -> Answer {
    let mut connection = server.connect();
    connection.write(format!("GET /v2/ HTTP/1.1\r\n{lines}\r\n\r\n").as_bytes()).unwrap();
    connection.answer(false).unwrap()
}

#[test]
fn the_realm_is_what_the_client_called_us_and_nobody_else_s_word() {
    let server = guarded();
    for lines in [
        "Host: a.example\r\nX-Forwarded-Host: evil.example",
        "Host: a.example\r\nX-Forwarded-Proto: https",
        "Host: a.example\r\nForwarded: host=evil.example;proto=https",
        "Host: a.example\r\nX-Forwarded-Server: evil.example\r\nX-Host: evil.example",
    ] {
        assert_eq!(realm(&asked_as(&server, lines)), "http://a.example/token", "{lines}");
    }
    // What is no host is not repeated.
    for host in [
        "a.example\",realm=\"http://evil",
        "a.example/evil",
        "evil@a.example",
        "a b",
        "a.example:99999",
        "[::1",
        "a.example#",
    ] {
        let answer = asked_as(&server, &format!("Host: {host}"));
        assert!(matches!(answer.status, 400 | 401), "{answer}");
        if answer.status == 401 {
            assert!(!answer.need("www-authenticate").contains(host), "{answer}");
        }
    }
    let two = asked_as(&server, "Host: a.example\r\nHost: evil.example");
    assert!(two.status == 400 || !two.need("www-authenticate").contains("example"), "{two}");
}

#[test]
fn a_trusted_proxy_s_word_is_the_realm_and_external_url_is_above_all() {
    let server = guarded_with(Home::new().config("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n"));
    let told = asked_as(&server, "Host: inside\r\nX-Forwarded-Host: r.example\r\nX-Forwarded-Proto: https");
    assert_eq!(realm(&told), "https://r.example/token");
    let nonsense = asked_as(&server, "Host: inside\r\nX-Forwarded-Host: a\"b\r\nX-Forwarded-Proto: gopher");
    assert!(
        !nonsense.need("www-authenticate").contains("gopher")
            && !nonsense.need("www-authenticate").contains("a\"b")
    );
    let fixed = "[server]\nexternal_url = \"https://r.example\"\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let server = guarded_with(Home::new().config(fixed));
    for lines in
        ["Host: evil.example", "Host: a\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: http"]
    {
        assert_eq!(realm(&asked_as(&server, lines)), "https://r.example/token", "{lines}");
    }
}

#[test]
fn rules_on_addresses_see_the_socket_or_what_a_trusted_proxy_says() {
    let rules = "[[acl]]\nmatch = { account = \"alice\", ip = \"198.51.100.0/24\" }\nactions = [\"pull\"]\n";
    let status = |server: &Running, claims: &[&str]| {
        let alice = server.login("alice", "password of alice");
        let call = claims
            .iter()
            .fold(get("/v2/team/app/manifests/1"), |call, claim| call.header("X-Forwarded-For", claim));
        let others = call.clone().header("X-Real-IP", "198.51.100.9").header("Forwarded", "for=198.51.100.9");
        let answers = [&call, &others].map(|call| alice.send(call).status);
        assert_eq!(answers[0], answers[1], "other headers count for nothing: {claims:?}");
        answers[0]
    };
    let prepared = |config: &str| {
        let server = guarded_with(Home::new().config(config));
        server.admin().push("team/app", "1", &image(["base"]));
        server.admin().new_user("alice");
        server
    };
    // Nobody is trusted: whatever is claimed, the socket's word counts.
    let server = prepared(rules);
    for claims in [&["198.51.100.7"][..], &["198.51.100.7, 127.0.0.1"], &["127.0.0.1", "198.51.100.7"], &[]] {
        assert_eq!(status(&server, claims), 403, "{claims:?}");
    }
    // This machine is trusted: the right-most word that no trusted hop wrote counts (GHSA-8jm4).
    let server = prepared(&format!("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n{rules}"));
    for (claims, expected) in [
        (&["198.51.100.7"][..], 200),
        (&["198.51.100.7, 203.0.113.5"], 403),
        (&["203.0.113.5, 198.51.100.7"], 200),
        (&["203.0.113.5", "198.51.100.7"], 200),
        (&["198.51.100.7", "203.0.113.5"], 403),
        (&["198.51.100.7, 127.0.0.1"], 200),
        (&["198.51.100.7, garbage"], 403),
        (&["garbage"], 403),
        (&[], 403),
    ] {
        assert_eq!(status(&server, claims), expected, "{claims:?}");
    }
    let admin = server.admin();
    admin.grant(&user("alice"), "other/**", &["pull"]);
    let forged =
        server.bearer(&server.login("alice", "password of alice").token(&["repository:team/app:pull"]));
    // A token that was got from a good address is worth no more than the address that it is shown from.
    forged
        .send(&get("/v2/team/app/manifests/1").header("X-Forwarded-For", "203.0.113.5"))
        .refused(403, "DENIED");
}

#[test]
fn the_api_asks_for_the_scope_that_its_request_needs() {
    let server = guarded();
    server.admin().push("team/app", "1", &image(["base"]));
    for (path, scope) in [
        ("/api/v1/repositories/team/app", "repository:team/app:pull"),
        ("/api/v1/repositories/team/app/-/tags", "repository:team/app:pull"),
        ("/api/v1/repositories/nothing/-/tags/1", "repository:nothing:pull"),
        ("/api/v1/repositories", "registry:catalog:*"),
        ("/api/v1/users", "registry:api:*"),
        ("/api/v1/me", "registry:api:*"),
    ] {
        for told in [server.send(&get(path)), server.bearer("nonsense").send(&get(path))] {
            let told = told.refused(401, "UNAUTHORIZED");
            let challenge = told.header("WWW-Authenticate").unwrap_or_default().to_owned();
            assert!(challenge.contains(&format!("scope=\"{scope}\"")), "{path}: {challenge}");
        }
    }
    let token = server.admin().token(&["repository:team/app:pull"]);
    server.bearer(&token).send(&get("/api/v1/repositories/team/app")).expect(200);
}

#[test]
fn a_token_for_too_much_is_refused_in_the_words_of_oauth() {
    let server = guarded();
    let scopes: String = (0..90)
        .map(|n| format!("&scope=repository:team/a-repository-with-a-long-name-{n}:pull,push"))
        .collect();
    let refused = server.admin().send(&get(format!("/token?service=holdfast{scopes}"))).expect(400).json();
    assert_eq!(refused["error"], "invalid_scope", "{refused}");
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("fewer scopes"), "{refused}");
}
