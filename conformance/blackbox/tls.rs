//! TLS on the port: what is spoken over it, and clients that stall, lie or speak something else. It must not know the
//! registry beyond the ping and a plain push. The files are in tls_files.rs; ACME is in strangers/acme.sh.

use crate::testkit::chance::Chance;
use crate::testkit::client::{Connection, dial, get, request};
use crate::testkit::image::sha256_of;
use crate::testkit::server::{eventually, fresh};
use crate::testkit::tls::{NAME, TlsClient, secure, secure_with};
use http_body_util::{BodyExt, Empty};
use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

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
    let (head, body) = over_http_2(&it.client, http::Method::GET, "/v2/_catalog");
    assert_eq!(head.status, 200);
    assert_eq!(body, r#"{"repositories":[]}"#);
}

#[test]
fn a_head_has_no_body_over_http_2_either() {
    let it = secure();
    for (path, status) in
        [("/v2/", 200), ("/v2/_catalog", 200), ("/v2/app/manifests/1", 404), ("/nowhere", 404)]
    {
        let (told, whole) = over_http_2(&it.client, http::Method::GET, path);
        let (head, body) = over_http_2(&it.client, http::Method::HEAD, path);
        assert_eq!((head.status.as_u16(), body.len()), (status, 0), "{path}");
        let length = |head: &http::response::Parts| head.headers.get("content-length").cloned();
        let whole = http::HeaderValue::from(whole.len());
        assert_eq!((length(&told), length(&head)), (Some(whole.clone()), Some(whole)), "{path}");
    }
}

/// One request over HTTP/2, whose client demands that the rules of it are kept.
fn over_http_2(
    client: &TlsClient,
    method: http::Method,
    path: &str,
) -> (http::response::Parts, bytes::Bytes) {
    let (addr, config) = (client.addr, Arc::new(client.offering(&["h2"]).config()));
    let request = http::Request::builder()
        .method(method)
        .uri(format!("https://{NAME}{path}"))
        .body(Empty::<bytes::Bytes>::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let socket = tokio::net::TcpStream::connect(addr).await.unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        let stream = tokio_rustls::TlsConnector::from(config).connect(name, socket).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(
            hyper_util::rt::TokioExecutor::new(),
            hyper_util::rt::TokioIo::new(stream),
        )
        .await
        .unwrap();
        let asked = async {
            let (head, body) = sender.send_request(request.unwrap()).await.unwrap().into_parts();
            (head, body.collect().await.unwrap().to_bytes())
        };
        tokio::select! {
            answered = asked => answered,
            ended = connection => panic!("the connection ended first: {ended:?}"),
        }
    })
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
