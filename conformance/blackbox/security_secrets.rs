//! No secret in the log at any level, nor in the audit trail, nor in an answer, nor on the disk but where it belongs:
//! canaries of every kind are planted, every flow is driven with them, errors too, and everything is searched.

use crate::testkit::accounts::{ADMIN_PASSWORD, basic, guarded_with, minted};
use crate::testkit::client::{get, post};
use crate::testkit::forge::ForgersKey;
use crate::testkit::image::image;
use crate::testkit::server::{Home, Running, eventually, running};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const RIGHT: &str = "alice-canary-right-5d1e";
const WRONG: &str = "alice-canary-wrong-77b0";
const SECOND: &str = "alice-canary-second-c3f4";
const STATIC: &str = "static-canary-password-12aa";
const LDAP_BIND: &str = "ldap-canary-bind-password-90ee";

/// A server that tells all it can, whose second source of users is not to be reached.
fn talkative() -> (Running, ForgersKey) {
    let home = Home::new();
    let (key, path) = (ForgersKey::new(), home.folder().join("key.pem"));
    std::fs::write(&path, key.pem()).unwrap();
    let path = path.display();
    let config = format!(
        "[auth.signing]\nkey = \"{path}\"\n\n[auth.ldap]\nurl = \"ldap://127.0.0.1:1\"\nbind_dn = \"cn=reader\"\n\
         bind_password = \"{LDAP_BIND}\"\nbase = \"dc=example\"\ntimeout_secs = 2\n"
    );
    let home = home.config(&config).env("HOLDFAST_LOG_LEVEL", "trace");
    (guarded_with(home), key)
}

/// Drives everything that takes or gives a secret; gives all that were made.
fn drive(server: &Running) -> Vec<String> {
    let admin = server.admin();
    let mut made = Vec::new();
    let body = json!({ "name": "alice", "password": RIGHT });
    // LDAP, which nobody answers for here, may know the name: who makes an account all the same has to say so.
    admin.api("POST", "/users", Some(&body)).refused(503, "UNAVAILABLE");
    admin.api("POST", "/users?take_over=true", Some(&body)).expect(201);
    admin.api("POST", "/users?take_over=true", Some(&body)).expect(409);
    admin
        .api("POST", "/users", Some(&json!({ "name": "bob", "password": WRONG, "nonsense": WRONG })))
        .expect(400);
    admin.api("POST", "/users", Some(&json!({ "name": WRONG, "password": [WRONG] }))).expect(400);
    admin.grant(&crate::testkit::accounts::user("alice"), "team/**", &["pull", "push"]);
    let alice = server.login("alice", RIGHT);
    alice.push("team/app", "1", &image(["base"]));
    let reply = alice.token_reply("&offline_token=true&client_id=docker&scope=repository:team/app:pull");
    let (refresh, access) = (reply["refresh_token"].as_str().unwrap(), reply["token"].as_str().unwrap());
    let (_, pat) = alice.mint(&json!({ "description": "ci" }));
    admin.api("POST", "/service-accounts?take_over=true", Some(&json!({ "name": "robot" }))).expect(201);
    let (_, secret) = minted(&admin.api("POST", "/service-accounts/robot/secrets", Some(&json!({}))));
    made.extend([refresh, access, &pat, &secret].map(str::to_owned));
    for text in [access, pat.as_str(), secret.as_str()] {
        server.bearer(text).send(&get("/v2/team/app/manifests/1"));
    }
    server.login("robot", &secret).send(&get("/v2/_catalog"));
    server.login("alice", &pat).manifest("team/app", "1");
    // Wrong ones, everywhere that takes one; with names that no source but the unreachable one could know.
    for name in ["alice", "nobody", "admin"] {
        for path in ["/v2/", "/token?service=holdfast", "/api/v1/me"] {
            server.send_from([127, 0, 0, 7], &get(path).header("Authorization", basic(name, WRONG)));
        }
        server.token_form(&format!(
            "grant_type=password&service=holdfast&client_id=x&username={name}&password={WRONG}"
        ));
    }
    for text in [&refresh[..refresh.len() - 2], &access[..access.len() - 2], &pat[..pat.len() - 2], WRONG] {
        server.send(&get("/v2/").header("Authorization", format!("Bearer {text}"))).expect(401);
        server.send(&get("/v2/").header("Authorization", format!("Basic {text}"))).expect(401);
        server.send(&get("/v2/").header("Authorization", text)).expect(401);
        server.token_form(&format!("grant_type=refresh_token&service=holdfast&refresh_token={text}"));
        server.token_form(&format!("grant_type={text}&service=holdfast&password={text}"));
        server.token_form(&format!(
            "grant_type=password&service=holdfast&username=alice&password={text}&scope=nonsense"
        ));
    }
    let form = format!(
        "grant_type=refresh_token&service=holdfast&scope=repository:team/app:pull&refresh_token={refresh}"
    );
    made.push(server.token_form(&form).expect(200).json()["access_token"].as_str().unwrap().to_owned());
    // In the wrong place: as a body of another kind, as a cookie, as JSON that does not read.
    server.send(
        &post("/token")
            .header("Content-Type", "application/json")
            .body(json!({ "password": RIGHT }).to_string()),
    );
    server.send(
        &get("/v2/")
            .header("Cookie", format!("session={RIGHT}"))
            .header("Proxy-Authorization", basic("alice", RIGHT)),
    );
    let call = crate::testkit::client::request("PUT", "/api/v1/me/password")
        .header("Content-Type", "application/json");
    alice.send(&call.clone().body(format!("{{\"old\": \"{RIGHT}\", \"new\": \"{SECOND}"))).expect(400);
    alice.send(&call.clone().body(json!({ "old": WRONG, "new": SECOND }).to_string()));
    alice
        .send(&call.clone().body(json!({ "old": RIGHT, "new": SECOND, SECOND: SECOND }).to_string()))
        .expect(400);
    alice.send(&call.body(json!({ "old": RIGHT, "new": SECOND }).to_string())).expect(204);
    admin.api("PUT", "/users/alice/password", Some(&json!({ "password": "short" })));
    let alice = server.login("alice", SECOND);
    alice.api("GET", "/me/tokens", None).expect(200);
    made
}

#[track_caller]
fn holds_none(place: &str, text: &str, canaries: &[String]) {
    for canary in canaries {
        assert!(!text.contains(canary.as_str()), "{place} holds {canary:.24}..: {}", around(text, canary));
    }
}

fn around<'a>(text: &'a str, found: &str) -> &'a str {
    text.lines().find(|line| line.contains(found)).unwrap_or_default()
}

/// A secret in each form in which somebody might write it down.
fn forms(secrets: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for secret in secrets {
        all.push(secret.clone());
        all.push(STANDARD.encode(secret));
        for name in ["alice", "admin", "nobody", "robot"] {
            all.push(basic(name, secret).trim_start_matches("Basic ").to_owned());
        }
        // The signature of an access token, the secret half of an opaque one.
        if secret.len() > 40 {
            all.push(secret[secret.len() - 24..].to_owned());
        }
    }
    all
}

#[test]
fn no_secret_is_told_at_any_level() {
    let (server, key) = talkative();
    let mut secrets = drive(&server);
    secrets.extend([RIGHT, WRONG, SECOND, LDAP_BIND, ADMIN_PASSWORD].map(str::to_owned));
    let pem = key.pem();
    secrets.push(pem.lines().nth(1).unwrap().to_owned());
    let canaries = forms(&secrets);
    let admin = server.admin();
    let mut events = String::new();
    eventually("the change of the password is in the trail", || {
        events.clear();
        let mut next = String::new();
        loop {
            let page = admin.api("GET", &format!("/events?n=1000{next}"), None).expect(200).json();
            events.push_str(&page.to_string());
            match page["next"].as_str() {
                Some(last) => next = format!("&last={last}"),
                None => break,
            }
        }
        events.contains("password changed")
    });
    // What is searched is really there: the log at its most talkative, and the trail of logins and refusals.
    let log = server.server.log();
    assert!(log.contains("/token") && log.contains("alice"), "{log:.400}");
    assert!(events.contains("login-refused") && events.contains("alice"), "{events:.400}");
    holds_none("the audit trail", &events, &canaries);
    holds_none("the log", &log, &canaries);
    // The configuration as it is understood, which people paste into reports.
    let checked = server.home.command("check").output().unwrap();
    let told =
        String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(told.contains("ldap") && told.contains("trace"), "{told}");
    holds_none("`holdfast check`", &told, &canaries);
    // On the disk stand hashes; what leaves with a backup opens nothing.
    let (pid, data) = (server.server.pid(), server.home.data().to_owned());
    assert!(pid > 0);
    server.server.terminate();
    let signing = pem.lines().nth(1).unwrap().to_owned();
    for file in files(&data) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap_or_default()).into_owned();
        let unhashed: Vec<String> = secrets.iter().filter(|secret| **secret != signing).cloned().collect();
        holds_none(&file.display().to_string(), &text, &unhashed);
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn bad_settings_with_secrets_in_them_are_refused_without_telling_them() {
    for config in [
        format!("[[auth.users]]\nname = \"alice\"\npassword = \"{STATIC}\"\nadmin = \"yes\"\n"),
        format!("[[auth.users]]\nname = \"alice\"\npassword = \"plain-{STATIC}\"\n"),
        format!("[auth.ldap]\nurl = \"gopher://x\"\nbind_password = \"{LDAP_BIND}\"\n"),
        format!("[auth.ldap]\nurl = \"ldaps://127.0.0.1:1\"\nbind_password = [\"{LDAP_BIND}\"]\n"),
        format!("[auth.ldap]\nbind_pasword = \"{LDAP_BIND}\"\n"),
        format!("[auth.ldap]\nbind_password = \"{LDAP_BIND}\n"),
    ] {
        let home = Home::new().with_accounts().config(&config);
        let (status, log) = home.start_refused();
        assert!(!status.success());
        holds_none(
            "the refusal to start",
            &log,
            &[STATIC.to_owned(), LDAP_BIND.to_owned(), ADMIN_PASSWORD.to_owned()],
        );
        let checked = home.command("check").output().unwrap();
        let told =
            String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
        holds_none(
            "`holdfast check`",
            &told,
            &[STATIC.to_owned(), LDAP_BIND.to_owned(), ADMIN_PASSWORD.to_owned()],
        );
    }
}

#[test]
fn the_first_password_is_in_its_file_alone() {
    let server = running(Home::new().with_made_up_password().env("HOLDFAST_LOG_LEVEL", "trace"));
    let file = server.home.data().join("initial-admin-password");
    let password = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    let admin = server.login("admin", &password);
    let me: Value = admin.api("GET", "/me", None).expect(200).json();
    assert_eq!(me["admin"], true);
    server.server.terminate();
    holds_none("the log", &server.server.log(), &forms(std::slice::from_ref(&password)));
    for other in files(server.home.data()).into_iter().filter(|path| *path != file) {
        let text = String::from_utf8_lossy(&std::fs::read(&other).unwrap_or_default()).into_owned();
        holds_none(&other.display().to_string(), &text, std::slice::from_ref(&password));
    }
}
