//! TLS on the port, what is listened on without it, and the admin socket. It must not know the registry beyond the
//! ping and a plain push. ACME is shown with a real ACME server in strangers/acme.sh.

use crate::testkit::chance::Chance;
use crate::testkit::client::{Connection, dial, get, head, request};
use crate::testkit::image::{image, sha256_of};
use crate::testkit::server::{Home, Running, Server, eventually, fresh};
use crate::testkit::tls::{Authority, Files, NAME, Pair, TlsClient};
use http_body_util::{BodyExt, Empty};
use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;
use std::time::Duration;

/// A server with TLS. It is dropped before its folder.
struct Secure {
    server: Server,
    files: Files,
    authority: Authority,
    client: TlsClient,
    _home: Home,
}

fn home_with(files: &Files, home: Home) -> Home {
    home.env("HOLDFAST_SERVER_TLS_CERTIFICATE", files.certificate.display().to_string())
        .env("HOLDFAST_SERVER_TLS_KEY", files.key.display().to_string())
}

fn secure_with(change: impl Fn(Home) -> Home) -> Secure {
    let (home, authority) = (Home::new(), Authority::new());
    let files = Files::in_folder(home.folder());
    files.put(&authority.pair());
    let home = change(home_with(&files, home));
    let server = home.start_unready();
    let client = authority.client(server.client().addr);
    client.send(&get("/readyz")).expect(200);
    Secure { server, files, authority, client, _home: home }
}

fn secure() -> Secure {
    secure_with(|home| home)
}

#[test]
fn http_1_is_spoken_over_tls_1_2_and_1_3() {
    let it = secure();
    for (versions, expected) in [
        (&[&TLS12][..], ProtocolVersion::TLSv1_2),
        (&[&TLS13], ProtocolVersion::TLSv1_3),
        (&[&TLS13, &TLS12], ProtocolVersion::TLSv1_3),
    ] {
        let client = it.client.speaking(versions);
        let connection = client.handshake().unwrap();
        assert_eq!(connection.version(), Some(expected));
        assert_eq!(connection.protocol().as_deref(), Some("http/1.1"));
        let answer = Connection::over(connection).exchange(&get("/v2/")).unwrap().expect(200);
        assert_eq!(answer.need("docker-distribution-api-version"), "registry/2.0");
    }
    // a client that offers no protocol at all speaks HTTP/1.1
    it.client.offering(&[]).send(&get("/v2/")).expect(200);
}

#[test]
fn http_2_is_chosen_where_it_is_offered_and_really_spoken() {
    let it = secure();
    assert_eq!(
        it.client.offering(&["http/1.1", "h2"]).handshake().unwrap().protocol().as_deref(),
        Some("h2")
    );
    let config = Arc::new(it.client.offering(&["h2"]).config());
    let addr = it.client.addr;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (status, body) = runtime.block_on(async move {
        let socket = tokio::net::TcpStream::connect(addr).await.unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        let stream = tokio_rustls::TlsConnector::from(config).connect(name, socket).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(
            hyper_util::rt::TokioExecutor::new(),
            hyper_util::rt::TokioIo::new(stream),
        )
        .await
        .unwrap();
        tokio::task::spawn(connection);
        let request = http::Request::get(format!("https://{NAME}/v2/_catalog"))
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        (answer.status(), answer.into_body().collect().await.unwrap().to_bytes())
    });
    assert_eq!(status, 200);
    assert_eq!(body, r#"{"repositories":[]}"#);
}

#[test]
fn a_client_that_speaks_something_else_inside_is_refused() {
    let it = secure();
    for protocols in [&["acme-tls/1"][..], &["spdy/3"]] {
        assert!(it.client.offering(protocols).handshake().is_err(), "{protocols:?}");
    }
    it.client.send(&get("/v2/")).expect(200);
}

/// What a client of TLS 1.1 says first (RFC 4346, section 7.4.1.2), with a suite that TLS 1.2 knows too.
fn hello_of_tls_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 4, 0xc0, 0x13, 0xc0, 0x2f, 1, 0]);
    let mut record = vec![22, 3, 1, 0, u8::try_from(hello.len() + 4).unwrap(), 1, 0, 0];
    record.push(u8::try_from(hello.len()).unwrap());
    record.extend(hello);
    record
}

#[test]
fn tls_1_1_is_refused_with_an_alert() {
    let it = secure();
    let mut socket = dial(it.client.addr).unwrap();
    socket.write_all(&hello_of_tls_1_1()).unwrap();
    let mut told = Vec::new();
    socket.read_to_end(&mut told).unwrap();
    assert_eq!(told.first(), Some(&21), "an alert: {told:?}");
    let fatal = told.last_chunk() == Some(&[2, 70]) || told.last_chunk() == Some(&[2, 40]);
    assert!(fatal, "protocol_version or handshake_failure: {told:?}");
}

#[test]
fn tls_1_2_can_be_refused_too() {
    let it = secure_with(|home| home.env("HOLDFAST_SERVER_TLS_MIN_VERSION", "1.3"));
    assert!(it.client.speaking(&[&TLS12]).handshake().is_err());
    it.client.speaking(&[&TLS13]).send(&get("/v2/")).expect(200);
}

#[test]
fn headers_that_guard_browsers_are_on_every_answer() {
    let it = secure();
    for (path, of_api) in [("/v2/", true), ("/v2/absent/tags/list", true), ("/healthz", false), ("/x", false)]
    {
        let answer = it.client.send(&get(path));
        assert_eq!(answer.need("strict-transport-security"), "max-age=31536000", "{path}");
        assert_eq!(answer.need("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.need("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("content-security-policy").is_some(), !of_api, "{path}");
    }
    let silent = secure_with(|home| home.env("HOLDFAST_SERVER_TLS_HSTS", "false"));
    assert_eq!(silent.client.send(&get("/v2/")).header("strict-transport-security"), None);
    let plain = fresh();
    assert_eq!(plain.send(&get("/v2/")).header("strict-transport-security"), None);
    assert_eq!(plain.send(&get("/v2/")).need("x-content-type-options"), "nosniff");
}

#[test]
fn plain_http_on_the_tls_port_is_told_so() {
    let it = secure();
    let plain = it.server.client();
    for request in [get("/v2/"), request("POST", "/v2/app/blobs/uploads/").body(vec![b'x'; 300_000])] {
        let answer = plain.send(&request).refused(400, "UNSUPPORTED");
        let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("HTTP request to an HTTPS server"), "{message}");
    }
    // HTTP/2 without TLS begins with letters too
    let mut connection = plain.connect();
    connection.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    assert_eq!(connection.answer(false).unwrap().status, 400);
    it.client.send(&get("/v2/")).expect(200);
}

#[test]
fn garbage_in_place_of_a_handshake_harms_nobody() {
    let it = secure();
    let mut chance = Chance::seeded(300);
    for first in [0_u8, 1, 22, 0x80, 0xff] {
        let mut garbage = chance.bytes(2000);
        garbage[0] = first;
        let mut socket = dial(it.client.addr).unwrap();
        socket.write_all(&garbage).unwrap();
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = socket.read_to_end(&mut Vec::new());
    }
    it.client.send(&get("/v2/")).expect(200);
}

#[test]
fn a_push_and_a_pull_over_tls_are_whole() {
    let it = secure();
    let bytes = Chance::seeded(301).bytes(5_000_000);
    let digest = sha256_of(&bytes);
    let mut connection = it.client.connect();
    let upload = request("POST", format!("/v2/app/blobs/uploads/?digest={digest}")).body(&bytes);
    connection.exchange(&upload).unwrap().expect(201);
    let pulled = connection.exchange(&get(format!("/v2/app/blobs/{digest}"))).unwrap().expect(200);
    assert_eq!(pulled.body, bytes);
}

#[test]
fn a_refused_upload_is_answered_while_the_client_still_sends() {
    let it = secure();
    let mut connection = it.client.connect();
    let wrong = format!("/v2/app/blobs/uploads/?digest={}", sha256_of(b"other"));
    let head = request("PUT", "/v2/BAD/manifests/1").header("Content-Length", "30000000");
    connection.send_head(&head).unwrap();
    let _ = connection.write(&vec![7; 3_000_000]);
    connection.answer(false).unwrap().expect(400);
    it.client.send(&request("POST", wrong).body(b"x")).refused(400, "DIGEST_INVALID");
}

#[test]
fn a_bad_pair_refuses_the_start_and_says_why() {
    let authority = Authority::new();
    let (good, other) = (authority.pair(), authority.pair());
    let cases: [(&str, Option<&str>, Option<&str>, &[&str]); 6] = [
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
        let home = home_with(&files, home);
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
    let home = home_with(&files, home);
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
    let home = home_with(&Files::in_folder(&folder), home);
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
fn a_stalled_handshake_holds_nobody_up_and_is_cut() {
    let it = secure_with(|home| home.env("HOLDFAST_SERVER_HEADER_SECS", "1"));
    let mut stalled: Vec<_> = (0..50).map(|_| dial(it.client.addr).unwrap()).collect();
    for (at, socket) in stalled.iter_mut().enumerate() {
        // nothing at all, half a record's head, half a hello
        socket.write_all(&hello_of_tls_1_1()[..(at % 3) * 4]).unwrap();
    }
    it.client.send(&get("/v2/")).expect(200);
    for socket in &mut stalled {
        match socket.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "it was never cut: {error}"),
        }
    }
    it.client.send(&get("/v2/")).expect(200);
}

#[test]
fn a_client_that_says_nothing_after_its_handshake_is_cut() {
    let it = secure_with(|home| {
        home.env("HOLDFAST_SERVER_HEADER_SECS", "1").env("HOLDFAST_SERVER_STALL_SECS", "1")
    });
    for protocols in [&["http/1.1"][..], &[], &["h2"]] {
        let mut connection = it.client.offering(protocols).connect();
        match connection.read_to_end() {
            Ok(_) => {}
            Err(error) => assert!(
                !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "{protocols:?} was never cut"
            ),
        }
    }
}

#[test]
fn a_download_over_tls_that_nobody_reads_gives_its_place_back() {
    let it = secure_with(|home| {
        home.env("HOLDFAST_SERVER_CONNECTIONS_MAX", "1").env("HOLDFAST_SERVER_STALL_SECS", "1")
    });
    let large = Chance::seeded(302).bytes(48 * 1024 * 1024);
    let digest = sha256_of(&large);
    let upload = request("POST", format!("/v2/app/blobs/uploads/?digest={digest}")).body(&large);
    it.client.send(&upload).expect(201);
    let mut stalled = it.client.connect();
    stalled.send_head(&get(format!("/v2/app/blobs/{digest}"))).unwrap();
    eventually("the stalled download is cut", || {
        it.client
            .handshake_with(Duration::from_secs(2))
            .and_then(|wire| Connection::over(wire).exchange(&get("/healthz")))
            .is_ok_and(|answer| answer.status == 200)
    });
}

#[test]
fn a_stop_does_not_wait_for_handshakes_and_lets_a_download_end() {
    let mut it = secure();
    let bytes = Chance::seeded(303).bytes(32 * 1024 * 1024);
    let digest = sha256_of(&bytes);
    let upload = request("POST", format!("/v2/app/blobs/uploads/?digest={digest}")).body(&bytes);
    it.client.send(&upload).expect(201);
    let _stalled = dial(it.client.addr).unwrap();
    let mut download = it.client.connect();
    download.send_head(&get(format!("/v2/app/blobs/{digest}"))).unwrap();
    download.answer_head().unwrap().expect(200);
    let mut have = download.exactly(100_000).unwrap();
    it.server.terminate();
    eventually("new connections are refused", || dial(it.client.addr).is_err());
    have.extend(download.exactly(bytes.len() - have.len()).unwrap());
    assert_eq!(sha256_of(&have), digest);
    drop(download);
    assert_eq!(it.server.wait_exit().code(), Some(0));
}

#[test]
fn the_line_on_stdout_and_check_say_https() {
    let it = secure();
    let port = it.client.addr.port();
    let output = it._home.command("check").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && told.contains("https://") && told.contains(NAME), "{told} {port}");
}

#[test]
fn others_are_not_listened_to_in_the_clear_unless_somebody_says_so() {
    let home = Home::new();
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let output =
            home.command("serve").args(["--listen", listen, "--data"]).arg(home.data()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        for way in ["[server.tls]", "[server.acme]", "--behind-proxy", "server.behind_proxy", "--open"] {
            assert!(told.contains(way), "{way} is not in {told}");
        }
        assert!(!home.data().exists(), "nothing was made");
    }
    // The word is known to `serve`, and to the configuration.
    let server = Home::new().flag("--behind-proxy").start();
    server.client().send(&get("/v2/")).expect(200);
    let wide = Home::new().config("[server]\nlisten = \"0.0.0.0:5000\"\n").command("check").output().unwrap();
    assert!(String::from_utf8_lossy(&wide.stdout).contains("REFUSED"));
    let meant = "[server]\nlisten = \"0.0.0.0:5000\"\nbehind_proxy = true\n";
    let meant = Home::new().config(meant).command("check").output().unwrap();
    assert!(!String::from_utf8_lossy(&meant.stdout).contains("REFUSED"));
}

fn socket_of(running: &Running) -> std::path::PathBuf {
    running.home.data().join("admin.sock")
}

#[test]
fn the_admin_socket_is_its_owners_alone_and_answers() {
    let running = fresh();
    let socket = socket_of(&running);
    assert_eq!(fs::symlink_metadata(&socket).unwrap().permissions().mode() & 0o7777, 0o600);
    let mut connection = Connection::open_local(&socket).unwrap();
    connection.exchange(&get("/healthz")).unwrap().expect(200);
    connection.exchange(&head("/v2/")).unwrap().expect(200);
    let id = connection.exchange(&get("/v2/")).unwrap().need("x-request-id").to_owned();
    eventually("the log names the peer", || {
        running.server.log().lines().any(|line| line.contains(&id) && line.contains("\"local\""))
    });
}

#[test]
fn the_admin_socket_of_a_killed_server_is_replaced_and_a_stopped_one_takes_its_own_away() {
    let home = Home::new();
    let socket = home.data().join("admin.sock");
    home.start().kill();
    assert!(Connection::open_local(&socket).is_err(), "nobody is there");
    assert!(socket.exists());
    let server = home.start();
    Connection::open_local(&socket).unwrap().exchange(&get("/healthz")).unwrap().expect(200);
    server.stop();
    assert!(!socket.exists());
}

#[test]
fn a_second_server_does_not_take_the_admin_socket_from_the_first() {
    let running = fresh();
    let (status, _) = running.home.start_refused();
    assert!(!status.success());
    let mut connection = Connection::open_local(&socket_of(&running)).unwrap();
    connection.exchange(&get("/healthz")).unwrap().expect(200);
}

#[test]
fn the_admin_socket_works_in_a_folder_with_a_long_name_and_under_a_flood() {
    let home = Home::new();
    let deep = home.folder().join("d".repeat(120));
    fs::create_dir_all(&deep).unwrap();
    let home = home.data_at(&deep).env("HOLDFAST_SERVER_CONNECTIONS_MAX", "1");
    let server = home.start();
    let client = server.client();
    client.push("app", "1", &image(["base"]));
    // The one place of the port is taken; the socket has places of its own.
    let mut taken = client.connect();
    taken.exchange(&get("/v2/")).unwrap().expect(200);
    let short = home.folder().join("short");
    symlink(&deep, &short).unwrap();
    let mut connection = Connection::open_local(&short.join("admin.sock")).unwrap();
    connection.exchange(&get("/v2/app/tags/list")).unwrap().expect(200);
}
