//! The certificate and its key: pairs that refuse the start, and pairs that are replaced under a running server. It
//! must not know what is spoken over TLS.

use crate::testkit::client::get;
use crate::testkit::server::{Home, Server, eventually};
use crate::testkit::tls::{Authority, Files, NAME, Pair, TlsClient, secure};
use std::fs;
use std::os::unix::fs::symlink;

/// A file's content, if it is there at all.
type Text<'a> = Option<&'a str>;

#[test]
fn a_bad_pair_refuses_the_start_and_says_why() {
    let authority = Authority::new();
    let (good, other) = (authority.pair(), authority.pair());
    let cases: [(&str, Text<'_>, Text<'_>, &[&str]); 6] = [
        (
            "no certificate file",
            None,
            Some(&good.key),
            &["server.tls.certificate", "tls.crt", "cannot be read"],
        ),
        ("no key file", Some(&good.certificate), None, &["server.tls.key", "tls.key", "cannot be read"]),
        ("no PEM", Some("hello"), Some(&good.key), &["certificate is not PEM", "tls.crt"]),
        ("no key PEM", Some(&good.certificate), Some("hello"), &["key is not PEM", "tls.key"]),
        ("another key", Some(&good.certificate), Some(&other.key), &["does not belong to the certificate"]),
        ("torn", Some(&good.certificate[..200]), Some(&good.key), &["broken"]),
    ];
    for (what, certificate, key, words) in cases {
        let home = Home::new();
        let files = Files::in_folder(home.folder());
        for (path, text) in [(&files.certificate, certificate), (&files.key, key)] {
            if let Some(text) = text {
                fs::write(path, text).unwrap();
            }
        }
        let home = files.told_to(home);
        let (status, told) = home.start_refused();
        assert_eq!(status.code(), Some(1), "{what}: {told}");
        for word in words {
            assert!(told.contains(word), "{what}: {word:?} is not in {told}");
        }
        assert!(!told.contains("panicked") && !told.contains("PRIVATE KEY-----\n"), "{what}: {told}");
        assert!(!home.data().exists(), "{what}: nothing was made");
    }
}

#[test]
fn half_a_pair_and_two_sources_refuse_the_start() {
    let path = "/nowhere/tls.pem";
    let half = Home::new().env("HOLDFAST_SERVER_TLS_CERTIFICATE", path);
    let other_half = Home::new().env("HOLDFAST_SERVER_TLS_KEY", path);
    let both = Home::new()
        .env("HOLDFAST_SERVER_TLS_CERTIFICATE", path)
        .env("HOLDFAST_SERVER_TLS_KEY", path)
        .env("HOLDFAST_SERVER_ACME_DOMAINS", "r.example")
        .env("HOLDFAST_SERVER_ACME_ACCEPT_TERMS", "true");
    let terms = Home::new().env("HOLDFAST_SERVER_ACME_DOMAINS", "r.example");
    let wild = Home::new()
        .env("HOLDFAST_SERVER_ACME_DOMAINS", "*.r.example")
        .env("HOLDFAST_SERVER_ACME_ACCEPT_TERMS", "true");
    for (home, word) in [
        (half, "`server.tls.key` is not set"),
        (other_half, "`server.tls.certificate` is not set"),
        (both, "both set"),
        (terms, "accept_terms"),
        (wild, "*.r.example"),
    ] {
        let (status, told) = home.start_refused();
        assert_eq!(status.code(), Some(1), "{told}");
        assert!(told.contains(word), "{word:?} is not in {told}");
    }
}

#[test]
fn an_expired_certificate_is_served_and_told_of() {
    let (home, authority) = (Home::new(), Authority::new());
    let files = Files::in_folder(home.folder());
    let old = authority.pair_with(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    files.put(&old);
    let home = files.told_to(home);
    let server = home.start_unready();
    eventually("the log tells of it", || server.log().contains("EXPIRED on 2020-01-01"));
    let refused = authority.client(server.client().addr).handshake().err().unwrap().to_string();
    assert!(refused.contains("expired"), "{refused}");
}

/// Lines of the log that say so.
fn told(server: &Server, what: &str) -> usize {
    server.log().lines().filter(|line| line.contains(what)).count()
}

fn shows(client: &TlsClient, pair: &Pair) -> bool {
    client.presented() == pair.der
}

#[test]
fn a_new_pair_is_taken_without_dropping_a_connection() {
    let it = secure();
    let before = it.client.presented();
    let mut held = it.client.connect();
    held.exchange(&get("/v2/")).unwrap().expect(200);
    let next = it.authority.pair();
    it.files.put(&next);
    eventually("the new certificate is shown", || shows(&it.client, &next));
    assert_ne!(before, next.der);
    held.exchange(&get("/v2/")).unwrap().expect(200);
}

#[test]
fn a_pair_behind_turned_links_is_taken() {
    // As Kubernetes lays out a secret: the names are links through `..data`, which is turned at once.
    let (home, authority) = (Home::new(), Authority::new());
    let folder = home.folder().join("secret");
    let (first, second) = (authority.pair(), authority.pair());
    for (name, pair) in [("..1", &first), ("..2", &second)] {
        fs::create_dir_all(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("tls.crt"), &pair.certificate).unwrap();
        fs::write(folder.join(name).join("tls.key"), &pair.key).unwrap();
    }
    symlink("..1", folder.join("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), folder.join(name)).unwrap();
    }
    let home = Files::in_folder(&folder).told_to(home);
    let server = home.start_unready();
    let client = authority.client(server.client().addr);
    assert!(shows(&client, &first));
    symlink("..2", folder.join("..fresh")).unwrap();
    fs::rename(folder.join("..fresh"), folder.join("..data")).unwrap();
    eventually("the certificate behind the links is shown", || shows(&client, &second));
}

#[test]
fn a_bad_new_pair_changes_nothing_and_a_good_one_after_it_is_taken() {
    let it = secure();
    let before = it.client.presented();
    fs::write(&it.files.key, it.authority.pair().key).unwrap();
    eventually("the bad pair is told of", || told(&it.server, "NOT taken") > 0);
    assert_eq!(it.client.presented(), before);
    fs::remove_file(&it.files.certificate).unwrap();
    eventually("the absent file is told of", || told(&it.server, "cannot be read") > 0);
    assert_eq!(it.client.presented(), before);
    let next = it.authority.pair();
    it.files.put(&next);
    eventually("the good pair is shown", || shows(&it.client, &next));
}

#[test]
fn sighup_reads_the_pair_again() {
    let it = secure();
    for times in 1..=3 {
        it.server.signal("-HUP");
        eventually("it was read again", || told(&it.server, "read again") >= times);
    }
    it.client.send(&get("/v2/")).expect(200);
}

#[test]
fn the_line_on_stdout_and_check_say_https() {
    let it = secure();
    let port = it.client.addr.port();
    let output = it.home.command("check").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && told.contains("https://") && told.contains(NAME), "{told} {port}");
}
