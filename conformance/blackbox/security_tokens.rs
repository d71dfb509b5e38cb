//! Attacks on access tokens, over the wire: whatever was not signed by us, for us, for this, and for now, is 401
//! `invalid_token` on every route, and never a stranger's visit instead.

use crate::testkit::accounts::{guarded_with, user};
use crate::testkit::answer::Answer;
use crate::testkit::client::{get, post, request};
use crate::testkit::forge::{ForgersKey, forged, mac, opened, with};
use crate::testkit::image::{digest_of, image};
use crate::testkit::server::{Home, Running};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};

/// A registry whose key the attacker has for once, so that a single thing can be wrong with a token.
struct Target {
    server: Running,
    key: ForgersKey,
    good: String,
    header: Value,
    claims: Value,
}

impl Target {
    /// `open/app` may be pulled by everybody: a forgery that was taken for nothing would be answered there.
    fn new() -> Self {
        let home = Home::new();
        let (key, path) = (ForgersKey::new(), home.folder().join("key.pem"));
        std::fs::write(&path, key.pem()).unwrap();
        let path = path.display();
        let server = guarded_with(home.config(&format!("[auth.signing]\nkey = \"{path}\"\n")));
        let admin = server.admin();
        admin.grant(&json!({ "kind": "anonymous" }), "open/**", &["pull", "push"]);
        admin.push("open/app", "1", &image(["base"]));
        admin.push("team/app", "1", &image(["base"]));
        let good = admin.token(&["repository:open/app:pull,push", "registry:catalog:*", "registry:api:*"]);
        let (header, claims) = opened(&good);
        Self { server, key, good, header, claims }
    }

    #[track_caller]
    fn refuses(&self, token: &str) {
        refused_everywhere(&self.server, &format!("Bearer {token}"), true);
        // What it is a change of is taken: so the change is why.
        self.server.bearer(&self.good).manifest("open/app", "1");
    }

    #[track_caller]
    fn refuses_header(&self, name: &str, to: Value) {
        self.refuses(&self.key.token(&with(&self.header, name, to), &self.claims));
    }

    #[track_caller]
    fn refuses_claim(&self, name: &str, to: Value) {
        self.refuses(&self.key.token(&self.header, &with(&self.claims, name, to)));
    }
}

/// This `Authorization` opens nothing, not even what is open to everybody.
#[track_caller]
pub fn refused_everywhere(server: &Running, authorization: &str, as_token: bool) {
    let (layer, absent) = (digest_of("base"), digest_of("nobody has this"));
    let calls = [
        get("/v2/"),
        get("/v2/_catalog"),
        get("/v2/open/app/manifests/1"),
        request("HEAD", "/v2/open/app/manifests/1"),
        get(format!("/v2/open/app/blobs/{layer}")),
        get(format!("/v2/open/app/blobs/{layer}")).header("Range", "bytes=0-1"),
        get("/v2/open/app/tags/list"),
        get(format!("/v2/open/app/referrers/{layer}")),
        post("/v2/open/app/blobs/uploads/"),
        post(format!("/v2/open/app/blobs/uploads/?mount={absent}&from=open/app")),
        request("DELETE", "/v2/open/app/manifests/1"),
        get("/api/v1/me"),
        get("/api/v1/repositories"),
        get("/api/v1/repositories/open/app"),
        get("/api/v1/users"),
    ];
    for call in calls {
        let is_head = format!("{call:?}").starts_with("HEAD");
        let answer = server.send_from(somewhere(), &call.header("Authorization", authorization));
        assert_eq!(answer.status, 401, "{authorization:.60}: {answer}");
        if !is_head {
            answer.clone().refused(401, "UNAUTHORIZED");
        }
        let challenge = answer.need("www-authenticate");
        assert!(
            challenge.starts_with(r#"Bearer realm="http://registry.test/token",service="holdfast""#),
            "{challenge}"
        );
        assert_eq!(
            challenge.contains(r#"error="invalid_token""#),
            as_token,
            "{authorization:.60}: {challenge}"
        );
    }
    let call = get("/token?service=holdfast").header("Authorization", authorization);
    refused_by_issuer(&server.send_from(somewhere(), &call));
}

/// An address of this machine that nobody has used, so that nobody is slowed for what came from there before.
fn somewhere() -> Ipv4Addr {
    static NTH: AtomicU16 = AtomicU16::new(0);
    let [high, low] = NTH.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(127, 7, high, low)
}

/// The issuer answers JSON, with the names of both worlds.
#[track_caller]
pub fn refused_by_issuer(answer: &Answer) {
    answer.clone().refused(401, "UNAUTHORIZED");
    assert!(answer.json()["error"].is_string() && answer.json().get("token").is_none(), "{answer}");
}

#[test]
fn a_token_that_nobody_signed() {
    let target = Target::new();
    for alg in ["none", "None", "nOnE", ""] {
        let header = with(&target.header, "alg", json!(alg));
        target.refuses(&forged(&header, &target.claims, |_| Vec::new()));
    }
    let (message, signature) = target.good.rsplit_once('.').unwrap();
    target.refuses(&format!("{message}."));
    target.refuses(message);
    target.refuses(&format!("{message}.{}", "A".repeat(signature.len())));
    target.refuses(&target.good[..target.good.len() - 1]);
    target.refuses(&format!("{}A", target.good));
    // Signed, but not this.
    let other = with(&target.claims, "sub", json!("somebody"));
    let unsigned = forged(&target.header, &other, |_| Vec::new());
    target.refuses(&format!("{unsigned}{signature}"));
}

#[test]
fn a_token_that_is_signed_with_our_public_key_as_a_secret() {
    let target = Target::new();
    let jwks = target.server.send(&get("/.well-known/jwks.json")).expect(200);
    let published = jwks.json()["keys"][0].clone();
    assert_eq!(published["kid"], target.header["kid"], "the key of the JWK set is the one that signs");
    assert!(published.get("d").is_none(), "{jwks}");
    let der = target.key.public_der();
    let lines = STANDARD.encode(&der);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n");
    let text = published.to_string();
    for secret in
        [&der[..], pem.as_bytes(), pem.trim().as_bytes(), text.as_bytes(), jwks.body.as_slice(), b""]
    {
        for header in [with(&target.header, "alg", json!("HS256")), target.header.clone()] {
            target.refuses(&forged(&header, &target.claims, |message| mac(secret, message)));
        }
    }
}

#[test]
fn a_token_of_another_key_that_says_it_is_ours_or_brings_its_own() {
    let (target, foreign) = (Target::new(), ForgersKey::new());
    let kid = target.header["kid"].as_str().unwrap();
    target.refuses(&foreign.token(&target.header, &target.claims));
    target.refuses(&foreign.token(&with(&target.header, "kid", Value::Null), &target.claims));
    for kid in ["", "../../dev/null", "' OR 1=1 --", &"k".repeat(5000)] {
        target.refuses(&foreign.token(&with(&target.header, "kid", json!(kid)), &target.claims));
    }
    // CVE-2025-24976: a key in the header, under a name that is trusted.
    let certificate = STANDARD.encode(foreign.public_der());
    for (name, value) in [
        ("jwk", foreign.jwk(kid)),
        ("jwk", target.key.jwk(kid)),
        ("jku", json!("http://127.0.0.1:1/jwks.json")),
        ("x5u", json!("http://127.0.0.1:1/chain.pem")),
        ("x5c", json!([certificate])),
        ("x5t", json!("AAAA")),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
    ] {
        target.refuses(&foreign.token(&with(&target.header, name, value.clone()), &target.claims));
        // Even with our own signature: we never write it.
        target.refuses_header(name, value.clone());
        let nameless = with(&with(&target.header, "kid", Value::Null), name, value);
        target.refuses(&foreign.token(&nameless, &target.claims));
    }
}

#[test]
fn a_token_that_we_signed_for_something_else() {
    let target = Target::new();
    for typ in [json!("at+jwt"), json!("JWE"), json!("jwt "), Value::Null] {
        target.refuses_header("typ", typ);
    }
    for aud in [json!("other"), json!(["holdfast", "other"]), json!([]), json!(""), Value::Null] {
        target.refuses_claim("aud", aud);
    }
    for iss in [json!("other"), json!(""), json!("Holdfast"), Value::Null] {
        target.refuses_claim("iss", iss);
    }
    for usage in [json!("refresh"), json!(""), Value::Null] {
        target.refuses_claim("use", usage);
    }
    let now = target.claims["iat"].as_u64().unwrap();
    // A minute is forgiven, for clocks that differ.
    for exp in [json!(now - 61), json!(0), json!(-1), json!("never"), Value::Null] {
        target.refuses_claim("exp", exp);
    }
    for name in ["nbf", "iat"] {
        target.refuses_claim(name, json!(now + 600));
        target.refuses_claim(name, Value::Null);
    }
    for (name, value) in
        [("sub", Value::Null), ("access", Value::Null), ("hf", Value::Null), ("hf", json!({}))]
    {
        target.refuses_claim(name, value);
    }
}

#[test]
fn a_token_for_another_registry_is_not_taken_here() {
    let server = guarded_with(Home::new().config("[auth]\nother_services = [\"elsewhere\"]\n"));
    server.admin().grant(&json!({ "kind": "anonymous" }), "open/**", &["pull", "push"]);
    let path = "/token?service=elsewhere&scope=repository:open/app:pull&offline_token=true";
    let reply = server.admin().send(&get(path)).expect(200).json();
    assert!(reply.get("refresh_token").is_none(), "a login elsewhere is not one here: {reply}");
    refused_everywhere(&server, &format!("Bearer {}", reply["token"].as_str().unwrap()), true);
    server.admin().send(&get("/token?service=unheard-of")).refused(400, "UNSUPPORTED");
}

#[test]
fn what_is_no_access_token_is_none() {
    let target = Target::new();
    let server = &target.server;
    let reply = server.admin().token_reply("&offline_token=true&client_id=docker");
    let refresh = reply["refresh_token"].as_str().unwrap();
    let (_, pat) = server.admin().mint(&json!({ "description": "ci", "api": true }));
    for text in [refresh, &pat[..pat.len() - 1], &format!("{pat}0"), "garbage", "..", ".", "a.b.c", "null"] {
        target.refuses(text);
    }
    let long = "a".repeat(20_000);
    target.refuses(&long);
    target.refuses(&format!("{}.{long}", target.good));
    target.refuses(&target.key.token(&with(&target.header, "kid", json!(long)), &target.claims));
    // As a password a refresh token is worth nothing either, nor is an access token; nor one for the other.
    for password in [refresh, &target.good] {
        let basic = crate::testkit::accounts::basic("admin", password);
        assert_eq!(server.send(&get("/v2/").header("Authorization", basic)).status, 401);
    }
    for token in [&target.good, &pat, "", "garbage"] {
        let form = format!("grant_type=refresh_token&service=holdfast&refresh_token={token}");
        let answer = server.token_form(&form);
        assert!(matches!(answer.status, 400 | 401), "{answer}");
        assert!(answer.json().get("access_token").is_none(), "{answer}");
    }
    // A personal access token is another's password for nobody but its owner.
    server.admin().new_user("bob");
    server.login("admin", &pat).manifest("team/app", "1");
    assert_eq!(server.login("bob", &pat).send(&get("/v2/")).status, 401);
}

#[test]
fn a_token_gives_what_it_was_issued_for_and_no_more_than_its_account_has() {
    let target = Target::new();
    let (server, admin) = (&target.server, target.server.admin());
    let alice = admin.new_user("alice");
    admin.grant(&user("alice"), "team/app", &["pull"]);
    // Asked for the moon.
    let scopes = [
        "repository:team/app:*",
        "repository:team/app:pull,push,delete",
        "repository:other:pull",
        "registry:catalog:*",
    ];
    let (_, claims) = opened(&alice.token(&scopes));
    let access = claims["access"].as_array().unwrap();
    let given =
        |name: &str| access.iter().find(|entry| entry["name"] == name).map(|entry| entry["actions"].clone());
    assert_eq!(given("team/app"), Some(json!(["pull"])), "{claims}");
    assert!(given("other").is_none_or(|actions| actions == json!([])), "{claims}");
    // Even claims with our signature give nothing that the account has not: rights are asked for at each request.
    let (header, mut claims) = opened(&alice.token(&["repository:team/app:pull"]));
    claims["access"] = json!([
        { "type": "repository", "name": "team/app", "actions": ["*"] },
        { "type": "repository", "name": "secret/app", "actions": ["*"] },
        { "type": "registry", "name": "catalog", "actions": ["*"] },
        { "type": "registry", "name": "api", "actions": ["*"] },
    ]);
    let inflated = server.bearer(&target.key.token(&header, &claims));
    inflated.manifest("team/app", "1");
    inflated.send(&post("/v2/team/app/blobs/uploads/")).refused(403, "DENIED");
    inflated.send(&get("/v2/secret/app/manifests/1")).refused(403, "DENIED");
    inflated.api("GET", "/users", None).refused(403, "DENIED");
    assert_eq!(inflated.catalog(), ["open/app", "team/app"]);
    // Nor does a claim that the account is an administrator, or somebody else's kind.
    claims["hf"]["admin"] = json!(true);
    claims["hf"]["groups"] = json!(["admins"]);
    let crowned = server.bearer(&target.key.token(&header, &claims));
    crowned.api("GET", "/users", None).refused(403, "DENIED");
    server
        .bearer(&target.key.token(&header, &claims))
        .send(&post("/v2/secret/app/blobs/uploads/"))
        .refused(403, "DENIED");
}
