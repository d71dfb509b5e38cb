//! The admin API does what its OpenAPI document says: who may call what, and what is answered. The document is read from
//! the server; nothing here has a list of routes of its own but for one scenario that must come by all of them.

use crate::api_schema::Document;
use crate::testkit::accounts::{guarded, user};
use crate::testkit::answer::Answer;
use crate::testkit::client::{Client, get, request};
use crate::testkit::image::{artifact, image, index};
use crate::testkit::server::Running;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;

fn document(server: &Running) -> Document {
    Document(server.send(&get("/api/v1/openapi.json")).expect(200).json())
}

/// A path with something in the place of each brace.
fn filled(path: &str) -> String {
    path.replace("{repository}", "nobody/has-this")
        .replace("{digest}", &image(["none"]).digest)
        .replace(['{', '}'], "")
}

fn call(client: Client, method: &str, path: &str) -> Answer {
    let mut call = request(method, path);
    if matches!(method, "POST" | "PUT" | "PATCH") {
        call = call.header("Content-Type", "application/json").body("{}");
    }
    client.send(&call)
}

#[test]
fn every_path_is_for_whom_the_document_says() {
    let server = guarded();
    let plain = server.admin().new_user("plain");
    let wrong = server.login("admin", "not the password");
    let document = document(&server);
    let mut seen = BTreeSet::new();
    for (path, method, operation) in document.paths() {
        let at = filled(&path);
        let needs = operation["x-needs"].as_str().expect("x-needs").to_owned();
        seen.insert(needs.split(' ').next().unwrap().to_owned());
        if needs == "nothing" {
            assert_eq!(operation["security"], json!([]));
            call(*server, &method, &at).expect(200);
            continue;
        }
        let refused = call(*server, &method, &at).refused(401, "UNAUTHORIZED");
        let scope = match needs.as_str() {
            _ if at.ends_with("/repositories") => "registry:catalog:*",
            "an account" | "an administrator" => "registry:api:*",
            _ => "repository:",
        };
        let challenge = refused.need("www-authenticate").to_owned();
        assert!(challenge.contains(&format!("scope=\"{scope}")), "{method} {at}: {challenge}");
        let token = server.token(&["registry:api:*", "repository:nobody/has-this:pull,push,delete"]);
        assert_eq!(
            call(server.bearer(&token), &method, &at).status,
            401,
            "an anonymous token at {method} {at}"
        );
        let answer = call(plain, &method, &at);
        match needs.as_str() {
            "an account" => assert!(![401, 403].contains(&answer.status), "{method} {at}: {answer}"),
            _ => drop(answer.refused(403, "DENIED")),
        }
        let admin = call(server.admin(), &method, &at);
        assert!(![401, 403, 405, 500].contains(&admin.status), "{method} {at}: {admin}");
        if admin.status >= 400 {
            let fault = document.fault(&json!({ "$ref": "#/components/schemas/Errors" }), &admin.json());
            assert_eq!(fault, None, "{method} {at}");
        }
    }
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), ["an", "delete", "nothing", "pull"]);
    // Last, since it slows this address down.
    wrong.api("GET", "/me", None).refused(401, "UNAUTHORIZED");
}

#[test]
fn other_paths_are_absent_and_other_methods_refused_with_what_there_is() {
    let server = guarded();
    let document = document(&server);
    let methods: Vec<(String, BTreeSet<String>)> = document.0["paths"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, known)| {
            (path.clone(), known.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect())
        })
        .collect();
    for (path, mut known) in methods {
        let at = filled(&path);
        if known.contains("GET") {
            known.insert("HEAD".into());
            let head = server.admin().send(&request("HEAD", &at));
            assert_eq!(head.status, call(server.admin(), "GET", &at).status, "HEAD {at}");
        }
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            if known.contains(method) {
                continue;
            }
            for client in [*server, server.admin()] {
                let answer = call(client, method, &at).expect(405);
                let allowed: BTreeSet<String> = answer.members("allow").into_iter().collect();
                assert_eq!(allowed, known, "{method} {at}");
            }
        }
        for odd in [format!("{at}/"), format!("{at}/x/y/z"), at.replace("/v1/", "/v2/"), at.to_uppercase()] {
            // What follows a repository's name is a part of that name.
            if !odd.contains("nobody/has-this") || !odd.starts_with("/api/v1/") {
                server.admin().send(&get(&odd)).expect(404);
            }
        }
    }
    for path in
        ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/%75sers", "/api/v1//users"]
    {
        server.admin().send(&get(path)).expect(404);
        server.send(&get(path)).expect(404);
    }
}

/// Somebody whose every call is checked against the document.
struct Checked<'a> {
    client: Client,
    document: &'a Document,
    seen: &'a RefCell<BTreeSet<(String, String)>>,
}

impl Checked<'_> {
    /// A call of `method` on `pattern`, whose braces stand for `values` in their order.
    #[track_caller]
    fn call(&self, method: &str, pattern: &str, values: &[&str], body: Option<Value>) -> Value {
        self.call_with(method, pattern, values, body, "")
    }

    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // so that a body can be written in its place
    fn call_with(
        &self,
        method: &str,
        pattern: &str,
        values: &[&str],
        body: Option<Value>,
        query: &str,
    ) -> Value {
        let path = format!("/api/v1{pattern}");
        let mut at = pattern.to_owned();
        for value in values {
            let (from, to) = (at.find('{').expect("a brace"), at.find('}').expect("a brace") + 1);
            at.replace_range(from..to, value);
        }
        assert_eq!(self.document.body(&path, method).is_some(), body.is_some(), "{method} {pattern}: a body");
        if let (Some(schema), Some(body)) = (self.document.body(&path, method), &body) {
            assert_eq!(self.document.fault(schema, body), None, "what we send with {method} {pattern}");
        }
        let answer = self.client.api(method, &format!("{at}{query}"), body.as_ref());
        assert!(answer.status < 300, "{method} {at}: {answer}");
        self.seen.borrow_mut().insert((path.clone(), method.to_owned()));
        let Some(schema) = self.document.answer(&path, method, answer.status) else {
            assert!(answer.body.is_empty(), "{method} {at} answers what no schema tells: {answer}");
            return Value::Null;
        };
        assert_eq!(answer.need("content-type"), "application/json");
        assert_eq!(answer.need("cache-control"), "no-store", "{method} {at}");
        assert_eq!(self.document.fault(schema, &answer.json()), None, "{method} {at}: {answer}");
        answer.json()
    }
}

#[test]
fn every_answer_of_a_whole_life_is_what_the_document_says() {
    let rules = "[[acl]]\nmatch = { account = \"x\", name = \"/a/\" }\nactions = [\"pull\"]\n[[acl]]\nmatch = { account = \"x\", name = \"/a/\" }\nactions = [\"push\"]\n";
    let server = crate::testkit::accounts::guarded_with(crate::testkit::server::Home::new().config(rules));
    let (document, seen) = (document(&server), RefCell::new(BTreeSet::new()));
    let as_client = |client| Checked { client, document: &document, seen: &seen };
    let admin = as_client(server.admin());
    let schema = document.answer("/api/v1/openapi.json", "GET", 200).unwrap();
    assert_eq!(document.fault(schema, &document.0), None);
    seen.borrow_mut().insert(("/api/v1/openapi.json".into(), "GET".into()));
    people(&server, &admin, &as_client);
    machines(&admin);
    images(&server, &admin);
    let told = admin.call_with("GET", "/events", &[], None, "?n=1000");
    assert!(!told["entries"].as_array().unwrap().is_empty() || told["next"].is_null());
    admin.call_with("GET", "/acl/explain", &[], None, "?account=x&action=pull&repository=team/app");
    admin.call_with("GET", "/acl/explain", &[], None, "?account=&action=push&repository=a&address=::1");
    let findings = admin.call("GET", "/acl/lint", &[], None);
    assert!(!findings["entries"].as_array().unwrap().is_empty());
    admin.call("PUT", "/read-only", &[], Some(json!({ "secs": 60 })));
    assert_eq!(admin.call("GET", "/read-only", &[], None)["read_only"], true);
    admin.call("DELETE", "/read-only", &[], None);
    let all: BTreeSet<_> = document.paths().into_iter().map(|(path, method, _)| (path, method)).collect();
    let missed: Vec<_> = all.difference(&seen.borrow()).cloned().collect();
    assert!(missed.is_empty(), "the scenario does not come by {missed:?}");
}

fn people<'a>(server: &Running, admin: &Checked<'a>, as_client: &impl Fn(Client) -> Checked<'a>) {
    let new = json!({ "name": "jörg@x", "password": "eight bytes", "email": "a@b.c", "first_name": "J", "last_name": "X", "admin": false });
    admin.call("POST", "/users", &[], Some(new));
    admin.call("POST", "/users", &[], Some(json!({ "name": "later", "password": null })));
    let listed = admin.call_with("GET", "/users", &[], None, "?n=2&search=");
    assert_eq!(listed["entries"].as_array().unwrap().len(), 2);
    admin.call_with("GET", "/users", &[], None, "?search=J%C3%96RG");
    let shown = admin.call("GET", "/users/{name}", &["later"], None);
    assert_eq!((&shown["has_password"], &shown["initial"]), (&json!(false), &json!(false)));
    admin.call("PATCH", "/users/{name}", &["later"], Some(json!({ "disabled": true, "email": "" })));
    admin.call(
        "PUT",
        "/users/{name}/password",
        &["j%C3%B6rg%40x"],
        Some(json!({ "password": "another one" })),
    );
    admin.call("POST", "/groups", &[], Some(json!({ "name": "dev", "description": "d" })));
    admin.call("PUT", "/groups/{name}/members/{member}", &["dev", "user%3Aj%C3%B6rg%40x"], None);
    admin.call("GET", "/groups", &[], None);
    let dev = admin.call("GET", "/groups/{name}", &["dev"], None);
    assert_eq!(dev["members"], json!(["user:jörg@x"]));
    admin.call("PATCH", "/groups/{name}", &["dev"], Some(json!({ "description": "the developers" })));
    let own = as_client(server.login("jörg@x", "another one"));
    let me = own.call("GET", "/me", &[], None);
    assert_eq!((&me["groups"], &me["profile"]["email"]), (&json!(["dev"]), &json!("a@b.c")));
    own.call("PATCH", "/me", &[], Some(json!({ "first_name": "Jörg" })));
    let ceiling = json!({ "repositories": ["team/**"], "actions": ["pull"] });
    let first = own.call(
        "POST",
        "/me/tokens",
        &[],
        Some(json!({ "description": "ci", "ceiling": ceiling, "lifetime_secs": 3600 })),
    );
    let second = own.call(
        "POST",
        "/me/tokens",
        &[],
        Some(json!({ "api": true, "ceiling": null, "lifetime_secs": null })),
    );
    server.login("jörg@x", first["secret"].as_str().unwrap()).send(&get("/v2/")).expect(200);
    let told = as_client(server.bearer(second["secret"].as_str().unwrap())).call("GET", "/me", &[], None);
    assert_eq!(told["name"], "jörg@x");
    assert_eq!(own.call("GET", "/me/tokens", &[], None)["entries"].as_array().unwrap().len(), 2);
    own.client.token_reply("&offline_token=true&client_id=docker");
    let theirs = admin.call("GET", "/users/{name}/tokens", &["j%C3%B6rg%40x"], None);
    let kinds: BTreeSet<&str> =
        theirs["entries"].as_array().unwrap().iter().map(|t| t["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["personal", "refresh"]));
    own.call("DELETE", "/me/tokens/{id}", &[first["token"]["id"].as_str().unwrap()], None);
    let id = second["token"]["id"].as_str().unwrap();
    admin.call("DELETE", "/users/{name}/tokens/{id}", &["j%C3%B6rg%40x", id], None);
    admin.call("DELETE", "/users/{name}/tokens", &["j%C3%B6rg%40x"], None);
    assert_eq!(admin.call("GET", "/users/{name}/tokens", &["j%C3%B6rg%40x"], None)["entries"], json!([]));
    own.call("PUT", "/me/password", &[], Some(json!({ "old": "another one", "new": "a third one" })));
    admin.call("DELETE", "/groups/{name}/members/{member}", &["dev", "j%C3%B6rg%40x"], None);
    let subject = json!({ "kind": "group", "name": "dev" });
    for (subject, actions) in [
        (&subject, json!(["pull"])),
        (&user("later"), json!(["pull", "push", "delete"])),
        (&json!({ "kind": "everyone" }), json!(["push"])),
    ] {
        admin.call(
            "POST",
            "/grants",
            &[],
            Some(json!({ "subject": subject, "repository": "team/**", "actions": actions })),
        );
    }
    let grants = admin.call_with("GET", "/grants", &[], None, "?n=2");
    assert!(grants["next"].is_string());
    admin.call("DELETE", "/grants/{id}", &[grants["entries"][0]["id"].as_str().unwrap()], None);
    admin.call("DELETE", "/groups/{name}", &["dev"], None);
    admin.call("DELETE", "/users/{name}", &["j%C3%B6rg%40x"], None);
}

fn machines(admin: &Checked<'_>) {
    admin.call("POST", "/service-accounts", &[], Some(json!({ "name": "ci", "description": "builds" })));
    admin.call("GET", "/service-accounts", &[], None);
    admin.call("GET", "/service-accounts/{name}", &["ci"], None);
    admin.call(
        "PATCH",
        "/service-accounts/{name}",
        &["ci"],
        Some(json!({ "disabled": false, "description": "b" })),
    );
    let secret = admin.call("POST", "/service-accounts/{name}/secrets", &["ci"], Some(json!({})));
    admin.client.login("ci", secret["secret"].as_str().unwrap()).send(&get("/v2/")).expect(200);
    let secrets = admin.call("GET", "/service-accounts/{name}/secrets", &["ci"], None);
    assert!(secrets["entries"][0]["last_used"].is_u64(), "{secrets}");
    let id = secret["token"]["id"].as_str().unwrap();
    admin.call("DELETE", "/service-accounts/{name}/secrets/{id}", &["ci", id], None);
    admin.client.login("ci", secret["secret"].as_str().unwrap()).send(&get("/v2/")).expect(401);
    admin.call("DELETE", "/service-accounts/{name}", &["ci"], None);
}

fn images(server: &Running, admin: &Checked<'_>) {
    let (one, many) = (image(["base"]).annotated("org.example", "ünı"), index([image(["a"]), image(["b"])]));
    server.admin().push("team/app", "1", &one);
    server.admin().push("team/app", "many", &many);
    server.admin().push("team/app", "sbom", &artifact("application/vnd.example", "s").about(&one));
    admin.call("GET", "/repositories", &[], None);
    let told = admin.call("GET", "/repositories/{repository}", &["team/app"], None);
    assert_eq!((&told["tags"], &told["manifests"]), (&json!(3), &json!(5)));
    let tags = admin.call_with("GET", "/repositories/{repository}/-/tags", &["team/app"], None, "?n=2");
    assert_eq!(tags["next"], "many");
    for tag in ["1", "many", "sbom"] {
        admin.call("GET", "/repositories/{repository}/-/tags/{tag}", &["team/app", tag], None);
    }
    let made = admin.call(
        "GET",
        "/repositories/{repository}/-/manifests/{digest}",
        &["team/app", &many.digest],
        None,
    );
    assert_eq!(made["manifests"][1]["platform"], "linux/arm64");
    admin.call("DELETE", "/repositories/{repository}/-/tags/{tag}", &["team/app", "sbom"], None);
    admin.call(
        "DELETE",
        "/repositories/{repository}/-/manifests/{digest}",
        &["team/app", &many.digest],
        None,
    );
    admin.call("DELETE", "/repositories/{repository}", &["team/app"], None);
    assert_eq!(admin.client.catalog(), [""; 0]);
}
