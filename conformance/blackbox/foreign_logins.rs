//! How the commands let themselves be let in by other registries, and above all to whom they show nothing: challenges,
//! tokens, realms, redirects, certificates. Every address of the machine is another host to a client.

use crate::testkit::fake::{Fake, Reply, Seen, challenge, reply};
use crate::testkit::image::{image, sha256_of};
use crate::testkit::tool::{Ran, Tool};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

const CATALOG: &str = r#"{"repositories":["app"]}"#;
/// `ana:geheim`
const BASIC: &str = "Basic YW5hOmdlaGVpbQ==";

fn docker(host: &str, entry: &str) -> Tool {
    Tool::new().docker(&format!(r#"{{"auths":{{"{host}":{{{entry}}}}}}}"#))
}

fn with_password(fake: &Fake) -> Tool {
    docker(&fake.host(), r#""auth":"YW5hOmdlaGVpbQ==""#)
}

#[track_caller]
fn ls(tool: &Tool, fake: &Fake, more: &[&str]) -> Ran {
    let ran = tool.run(&[&["ls", "--server", &fake.url(), "--verbose"], more].concat());
    assert!(
        !ran.stderr.contains("geheim") && !ran.stderr.contains("YW5hOmdlaGVpbQ"),
        "a secret is told: {ran:?}"
    );
    ran
}

/// A registry that wants the token `good`, had at `/token` of `realm` (its own address if empty).
fn by_token(realm: &'static str, issue: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Fake {
    Fake::start(move |seen: &Seen| {
        if seen.path.starts_with("/token") {
            return issue(seen);
        }
        if seen.header("authorization") == "Bearer good" {
            return reply(200, CATALOG);
        }
        let realm =
            if realm.is_empty() { format!("http://{}", seen.header("host")) } else { realm.to_owned() };
        let scope = "registry:catalog:*";
        challenge(&format!(r#"Bearer realm="{realm}/token",service="the registry",scope="{scope}""#))
    })
}

fn good() -> Reply {
    reply(200, r#"{"token":"good","expires_in":300}"#)
}

#[test]
fn a_token_is_had_for_the_password_and_shown() {
    let fake =
        by_token("", |seen| if seen.header("authorization") == BASIC { good() } else { reply(401, "{}") });
    assert_eq!(ls(&with_password(&fake), &fake, &[]).fine().lines(), ["app"]);
    let token = fake.lines()[1].clone();
    for part in ["service=the+registry", "scope=registry%3Acatalog%3A*", "account=ana", "client_id=holdfast"]
    {
        assert!(token.starts_with("GET /token?") && token.contains(part), "no {part} in {token}");
    }
    assert_eq!(fake.lines().len(), 3);
    assert_eq!(fake.seen()[0].header("authorization"), "", "nothing is shown before it is asked for");
}

#[test]
fn the_password_of_the_command_line_goes_before_docker_s() {
    let fake =
        by_token("", |seen| if seen.header("authorization") == BASIC { good() } else { reply(401, "{}") });
    let tool = docker(&fake.host(), r#""auth":"Ym9iOng=""#);
    ls(&tool, &fake, &[]).fails(1, &["\"bob\"", "config.json", "wrong"]);
    let arguments = ["ls", "--server", &fake.url(), "--user", "ana", "--password-stdin"];
    assert_eq!(tool.run_with(&arguments, "geheim\n").fine().lines(), ["app"]);
    tool.run_with(&arguments, "").fails(1, &["no password"]);
}

#[test]
fn nobody_gets_a_token_too_where_that_is_allowed() {
    let fake = by_token("", |_| reply(200, r#"{"access_token":"good"}"#));
    assert_eq!(ls(&Tool::new(), &fake, &[]).fine().lines(), ["app"]);
    assert!(fake.seen().iter().all(|seen| !seen.header("authorization").starts_with("Basic")));
    let closed = by_token("", |_| reply(401, "{}"));
    ls(&Tool::new(), &closed, &[]).fails(1, &["wants a login", "docker login"]);
}

#[test]
fn an_identity_token_is_exchanged() {
    let exchange = |seen: &Seen| {
        let right = [
            "grant_type=refresh_token",
            "refresh_token=ge%2Fheim",
            "client_id=holdfast",
            "service=the+registry",
        ];
        let fits = seen.method == "POST" && right.iter().all(|part| seen.body.contains(part));
        if fits { reply(200, r#"{"access_token":"good","expires_in":300}"#) } else { reply(400, &seen.body) }
    };
    let fake = by_token("", exchange);
    let tool = docker(&fake.host(), r#""auth":"YW5hOg==","identitytoken":"ge/heim""#);
    assert_eq!(ls(&tool, &fake, &[]).fine().lines(), ["app"]);
    assert!(fake.lines().iter().all(|line| !line.contains("heim")), "a secret in a URL");
    let without = by_token("", |_| reply(404, ""));
    let tool = docker(&without.host(), r#""identitytoken":"ge/heim""#);
    ls(&tool, &without, &[]).fails(1, &["takes no identity tokens"]);
    let ended = by_token("", |_| reply(401, ""));
    let tool = docker(&ended.host(), r#""identitytoken":"ge/heim""#);
    ls(&tool, &ended, &[]).fails(1, &["not accepted", "docker login"]);
}

#[test]
fn a_helper_is_asked() {
    let fake =
        by_token("", |seen| if seen.header("authorization") == BASIC { good() } else { reply(401, "{}") });
    let helper = format!(
        r#"read -r server; [ "$1 $server" = "get {}" ] && echo '{{"Username":"ana","Secret":"geheim"}}'"#,
        fake.host()
    );
    let config = format!(r#"{{"credHelpers":{{"{}":"test"}}}}"#, fake.host());
    let tool = Tool::new().docker(&config).program("docker-credential-test", &helper);
    assert_eq!(ls(&tool, &fake, &[]).fine().lines(), ["app"]);
    let exchange =
        by_token(
            "",
            |seen| if seen.body.contains("refresh_token=geheim") { good() } else { reply(401, "{}") },
        );
    let tool = Tool::new()
        .docker(r#"{"credsStore":"test"}"#)
        .program("docker-credential-test", r#"echo '{"Username":"<token>","Secret":"geheim"}'"#);
    assert_eq!(ls(&tool, &exchange, &[]).fine().lines(), ["app"]);
    let tool = Tool::new()
        .docker(r#"{"credsStore":"test"}"#)
        .program("docker-credential-test", "echo locked >&2; exit 1");
    ls(&tool, &fake, &[]).fails(1, &["docker-credential-test", "locked"]);
}

#[test]
fn a_helper_is_not_asked_where_nothing_is_asked_for() {
    let fake = Fake::start(|_: &Seen| reply(200, CATALOG));
    let tool = Tool::new().docker(r#"{"credsStore":"test"}"#).program("docker-credential-test", "exit 1");
    assert_eq!(ls(&tool, &fake, &[]).fine().lines(), ["app"]);
}

#[test]
fn name_and_password_are_shown_where_they_are_asked_for() {
    let fake = Fake::start(|seen: &Seen| match seen.header("authorization") {
        BASIC if seen.path.starts_with("/v2/_catalog") => {
            reply(200, CATALOG).header("Link", "</v2/app/tags/list>; rel=\"next\"")
        }
        BASIC => reply(200, r#"{"repositories":["more"]}"#),
        _ => challenge("Basic realm=\"x\""),
    });
    assert_eq!(ls(&with_password(&fake), &fake, &[]).fine().lines(), ["app", "more"]);
    assert_eq!(fake.lines().len(), 3, "once refused, it is shown from the start");
    ls(&Tool::new(), &fake, &[]).fails(1, &["wants a login"]);
    ls(&docker(&fake.host(), r#""auth":"YW5hOm90aGVy""#), &fake, &[])
        .fails(1, &["name or password of \"ana\""]);
    ls(&docker(&fake.host(), r#""identitytoken":"geheim""#), &fake, &[]).fails(1, &["did not let us in"]);
    let strange = Fake::start(|_: &Seen| challenge("Negotiate"));
    ls(&with_password(&strange), &strange, &[]).fails(1, &["none of the ways"]);
}

#[test]
fn rights_that_do_not_suffice_are_told_and_not_asked_for_again_and_again() {
    let fake = by_token("", |_| reply(200, r#"{"token":"weak"}"#));
    ls(&with_password(&fake), &fake, &[]).fails(1, &["\"ana\"", "may not do this"]);
    assert!(fake.lines().len() <= 4, "{:?}", fake.lines());
}

#[test]
fn a_realm_on_another_host_is_sent_nothing() {
    let thief = Fake::at("127.0.0.2", |_: &Seen| good());
    let realm: &'static str = Box::leak(thief.url().into_boxed_str());
    let fake = by_token(realm, |_| reply(500, ""));
    ls(&with_password(&fake), &fake, &[]).fails(1, &["another host", "127.0.0.2", "--allow-realm"]);
    ls(&Tool::new(), &fake, &[]).fails(1, &["another host"]);
    ls(&with_password(&fake), &fake, &["--allow-realm", "127.0.0.3"]).fails(1, &["another host"]);
    assert_eq!(thief.lines(), [""; 0]);
    assert_eq!(ls(&with_password(&fake), &fake, &["--allow-realm", "127.0.0.2"]).fine().lines(), ["app"]);
    assert_eq!(thief.seen()[0].header("authorization"), BASIC);
}

#[test]
fn a_realm_on_another_port_of_the_host_is_right() {
    let issuer = Fake::start(
        |seen: &Seen| if seen.header("authorization") == BASIC { good() } else { reply(401, "") },
    );
    let realm: &'static str = Box::leak(issuer.url().into_boxed_str());
    let fake = by_token(realm, |_| reply(500, ""));
    assert_eq!(ls(&with_password(&fake), &fake, &[]).fine().lines(), ["app"]);
}

#[test]
fn a_realm_that_sends_us_on_is_not_followed() {
    let thief = Fake::at("127.0.0.2", |_: &Seen| good());
    let to = thief.url();
    let fake = by_token("", move |_| reply(307, "").header("Location", &to));
    ls(&with_password(&fake), &fake, &[]).fails(1, &["follows nowhere"]);
    assert_eq!(thief.lines(), [""; 0]);
}

#[test]
fn a_realm_that_answers_nonsense_is_told() {
    for body in ["", "<html>", "{}", r#"{"token":""}"#, r#"{"token":"a\nb: c"}"#, r#"{"token":7}"#] {
        let fake = by_token("", move |_| reply(200, body));
        ls(&with_password(&fake), &fake, &[]).fails(1, &["cannot be used"]);
    }
    let fake = by_token("", |_| reply(500, ""));
    ls(&with_password(&fake), &fake, &[]).fails(1, &["500"]);
}

#[test]
fn a_redirect_takes_no_credential_to_another_host() {
    for scheme in ["Basic", "Bearer"] {
        let store = Fake::at("127.0.0.2", |_: &Seen| reply(200, CATALOG));
        let to = store.url();
        let fake = Fake::start(move |seen: &Seen| match (seen.path.as_str(), seen.header("authorization")) {
            (path, _) if path.starts_with("/token") => good(),
            (_, BASIC | "Bearer good") => reply(302, "").header("Location", format!("{to}/elsewhere")),
            _ if scheme == "Basic" => challenge("Basic realm=\"x\""),
            _ => challenge(&format!(r#"Bearer realm="http://{}/token""#, seen.header("host"))),
        });
        assert_eq!(ls(&with_password(&fake), &fake, &[]).fine().lines(), ["app"], "{scheme}");
        assert!(store.seen().iter().all(|seen| !seen.shows_something()), "{:?}", store.seen());
    }
}

#[test]
fn who_was_sent_elsewhere_shows_nothing_there_even_when_asked() {
    let thief = Fake::at("127.0.0.2", |_: &Seen| challenge("Basic realm=\"x\""));
    let to = thief.url();
    let fake = Fake::start(move |_: &Seen| reply(302, "").header("Location", format!("{to}/v2/_catalog")));
    ls(&with_password(&fake), &fake, &[]).fails(1, &["127.0.0.2", "401"]);
    assert_eq!((thief.lines().len(), thief.seen()[0].header("authorization")), (1, ""));
}

#[test]
fn who_was_sent_elsewhere_and_back_shows_nothing_any_more() {
    let back = Arc::new(OnceLock::new());
    let to = Arc::clone(&back);
    let away = Fake::at("127.0.0.2", move |_: &Seen| {
        let home: &String = to.get().unwrap();
        reply(302, "").header("Location", format!("{home}/chosen/elsewhere"))
    });
    let out = away.url();
    let home = Fake::start(move |seen: &Seen| match (seen.path.as_str(), seen.header("authorization")) {
        (path, BASIC) if path.starts_with("/v2/") => reply(302, "").header("Location", &out),
        _ => challenge("Basic realm=\"x\""),
    });
    back.set(home.url()).unwrap();
    ls(&with_password(&home), &home, &[]).fails(1, &["401"]);
    let shown: Vec<bool> = home.seen().iter().map(Seen::shows_something).collect();
    assert_eq!(shown, [false, true, false], "{:?}", home.lines());
}

#[test]
fn a_token_is_had_once_and_again_when_it_is_refused() {
    let app = image(["base"]);
    let (issued, held) = (Arc::new(AtomicUsize::new(0)), app.clone());
    let count = Arc::clone(&issued);
    let fake = Fake::start(move |seen: &Seen| {
        if seen.path.starts_with("/token") {
            let number = count.fetch_add(1, Ordering::SeqCst);
            return reply(200, format!(r#"{{"token":"t{number}","expires_in":300}}"#));
        }
        // The first token is refused from the configuration on, as if it had been revoked meanwhile.
        let shown = seen.header("authorization");
        if shown != "Bearer t1" && (shown != "Bearer t0" || seen.path.contains("/blobs/")) {
            let scope = r#"service="s",scope="repository:app:pull""#;
            return challenge(&format!(r#"Bearer realm="http://{}/token",{scope}"#, seen.header("host")));
        }
        if seen.path.contains("/blobs/") { reply(200, &held.blobs[0]) } else { reply(200, &held.bytes) }
    });
    let tool = with_password(&fake);
    tool.run(&["inspect", "--server", &fake.url(), "app:1"]).fine();
    assert_eq!(issued.load(Ordering::SeqCst), 2, "{:?}", fake.lines());
    assert_eq!(app.digest, sha256_of(&app.bytes));
}

#[test]
fn a_token_that_has_ended_is_not_shown() {
    for (lasts, tokens) in [(300, 1), (0, 2)] {
        let app = image(["base"]);
        let fake = Fake::start(move |seen: &Seen| match (seen.path.as_str(), seen.header("authorization")) {
            (path, _) if path.starts_with("/token") => {
                reply(200, format!(r#"{{"token":"good","expires_in":{lasts}}}"#))
            }
            (_, "") => {
                challenge(&format!(r#"Bearer realm="http://{}/token",service="s""#, seen.header("host")))
            }
            (path, _) if path.contains("/blobs/") => reply(200, &app.blobs[0]),
            _ => reply(200, &app.bytes),
        });
        Tool::new().run(&["inspect", "--server", &fake.url(), "app:1"]).fine();
        assert_eq!(
            fake.lines().iter().filter(|line| line.contains("/token")).count(),
            tokens,
            "{lasts} seconds"
        );
    }
}

#[test]
fn many_repositories_need_one_refusal_in_all() {
    let names: Vec<String> = (0..20).map(|n| format!("\"app{n}\"")).collect();
    let catalog = format!(r#"{{"repositories":[{}]}}"#, names.join(","));
    let fake = Fake::start(move |seen: &Seen| match (seen.path.as_str(), seen.header("authorization")) {
        (path, _) if path.starts_with("/token") => good(),
        (_, "") => challenge(&format!(r#"Bearer realm="http://{}/token",service="s""#, seen.header("host"))),
        (path, _) if path.starts_with("/v2/_catalog") => reply(200, &catalog),
        _ => reply(200, r#"{"tags":["1"]}"#),
    });
    ls(&with_password(&fake), &fake, &["-l1"]).fine();
    let count = |part: &str| fake.lines().iter().filter(|line| line.contains(part)).count();
    assert_eq!((count("/token"), count("/tags/list")), (21, 20), "{:?}", fake.lines());
    assert!(fake.lines().iter().any(|line| line.contains("scope=repository%3Aapp7%3Apull")));
}

fn certificate() -> (Arc<rustls::ServerConfig>, String) {
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), made.cert.pem())
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (config, pem) = certificate();
    let fake = Fake::tls(config, |seen: &Seen| match seen.header("authorization") {
        BASIC => reply(200, CATALOG),
        _ => challenge("Basic realm=\"x\""),
    });
    let tool = with_password(&fake);
    let ca = tool.folder().join("ca.pem");
    std::fs::write(&ca, pem).unwrap();
    let (url, ca) = (format!("https://{}", fake.host()), ca.display().to_string());
    tool.run(&["ls", "--server", &url]).fails(1, &["certificate", "--ca"]);
    assert_eq!(fake.lines(), [""; 0]);
    let ran = tool.run(&["ls", "--server", &url, "--ca", &ca]).fine();
    assert!(ran.lines() == ["app"] && !ran.stderr.contains("WARNING"), "{ran:?}");
    let ran = tool.run(&["ls", "--server", &url, "--insecure"]).fine();
    assert!(ran.stderr.contains("WARNING") && ran.stderr.contains("not verified"), "{ran:?}");
    // Without a scheme, this machine's own is tried with TLS first, and its certificate is verified no less.
    let bare = format!("{}/", fake.host());
    tool.run(&["ls", &bare]).fails(1, &["certificate"]);
    assert_eq!(tool.run(&["ls", &bare, "--ca", &ca]).fine().lines(), ["app"]);
    tool.run(&["ls", "--server", &url, "--ca", "/nonexistent"]).fails(1, &["/nonexistent"]);
    std::fs::write(tool.folder().join("no.pem"), "hello").unwrap();
    tool.run(&["ls", "--server", &url, "--ca", "no.pem"]).fails(1, &["no.pem"]);
}

#[test]
fn an_encrypted_registry_leads_nowhere_unencrypted() {
    let thief = Fake::start(|_: &Seen| good());
    for location in [true, false] {
        let (config, pem) = certificate();
        let to = thief.url();
        let fake = Fake::tls(config, move |_: &Seen| {
            if location {
                reply(307, "").header("Location", &to)
            } else {
                challenge(&format!(r#"Bearer realm="{to}/token",service="s""#))
            }
        });
        let tool = with_password(&fake);
        std::fs::write(tool.folder().join("ca.pem"), pem).unwrap();
        let url = format!("https://{}", fake.host());
        tool.run(&["ls", "--server", &url, "--ca", "ca.pem"]).fails(1, &["encrypted"]);
        tool.run(&["ls", "--server", &url, "--insecure", "--allow-realm", "127.0.0.1"])
            .fails(1, &["encrypted"]);
    }
    assert_eq!(thief.lines(), [""; 0]);
}

#[test]
fn plain_http_to_a_registry_that_speaks_tls_is_told() {
    let (config, _) = certificate();
    let fake = Fake::tls(config, |_: &Seen| reply(200, CATALOG));
    let ran = Tool::new().run(&["ls", "--server", &fake.url(), "--timeout", "5"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let plain = Fake::start(|_: &Seen| reply(200, CATALOG));
    let url = format!("https://{}", plain.host());
    Tool::new().run(&["ls", "--server", &url, "--timeout", "5"]).fails(1, &["cannot be reached"]);
    let bare = format!("{}/", plain.host());
    assert_eq!(Tool::new().run(&["ls", &bare]).fine().lines(), ["app"], "this machine may speak plain HTTP");
}
