//! Clients that are too slow or say nothing: headers that never end, bodies that stop, downloads that nobody
//! reads. The settings are a second; the tests wait for the event, not for the clock.

use crate::testkit::chance::Chance;
use crate::testkit::client::{Client, Connection, get, patch, put, request};
use crate::testkit::image::{digest_of, image, sha256_of};
use crate::testkit::push::closing;
use crate::testkit::server::{Home, Running, eventually, running};
use std::io::ErrorKind;

fn impatient() -> Running {
    running(Home::new().env("HOLDFAST_SERVER_HEADER_SECS", "1").env("HOLDFAST_SERVER_STALL_SECS", "1"))
}

/// Reads to the end, which must come; gives the status when there was an answer.
#[track_caller]
fn closed_by_server(connection: &mut Connection) -> Option<u16> {
    match connection.read_to_end() {
        Ok(bytes) if bytes.is_empty() => None,
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes)[9..12].parse().expect("a status")),
        Err(error) => {
            assert!(
                !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "the server never closed"
            );
            None
        }
    }
}

#[test]
fn headers_that_never_end_are_cut() {
    let client = impatient();
    let begun = ["", "GET /v2/ HTTP/1.1\r\nHost:", "GET /v2/ HTTP/1.1\r\nHost: registry.test\r\nX-Slow: "];
    let mut connections = begun.map(|begun| {
        let mut connection = client.connect();
        connection.write(begun.as_bytes()).unwrap();
        connection
    });
    for (connection, begun) in connections.iter_mut().zip(begun) {
        let status = closed_by_server(connection);
        assert!(matches!(status, None | Some(400 | 408)), "{begun:?}: {status:?}");
    }
    client.send(&get("/v2/")).expect(200);
}

#[test]
fn a_header_byte_now_and_then_does_not_buy_time() {
    let client = impatient();
    let mut connection = client.connect();
    connection.write(b"GET /v2/ HTTP/1.1\r\nHost: registry.test\r\nX-Slow: ").unwrap();
    eventually("the server cuts a slow header", || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        connection.write(b"x").is_err()
    });
}

#[test]
fn a_body_that_stops_is_cut_and_the_upload_goes_on() {
    let client = impatient();
    let bytes = Chance::seeded(90).bytes(50_000);
    let location = client.open_upload("app");
    let mut connection = client.connect();
    let head = request("PATCH", &location).header("Content-Length", bytes.len().to_string());
    connection.send_head(&head).unwrap();
    connection.write(&bytes[..20_000]).unwrap();
    let status = closed_by_server(&mut connection);
    assert!(status.is_none_or(|s| (400..600).contains(&s)), "a stalled PATCH was answered with {status:?}");
    eventually("the upload is free again", || client.send(&patch(&location)).status != 409);
    assert_eq!(client.send(&get(&location)).expect(204).need("range"), "0-19999");
    client.send(&put(closing(&location, &sha256_of(&bytes))).body(&bytes[20_000..])).expect(201);
}

#[test]
fn a_manifest_that_stops_is_cut_and_nothing_is_stored() {
    let client = impatient();
    let app = image(["base"]);
    client.push_parts("app", &app);
    let mut connection = client.connect();
    let head = request("PUT", "/v2/app/manifests/1")
        .header("Content-Type", &app.media_type)
        .header("Content-Length", app.bytes.len().to_string());
    connection.send_head(&head).unwrap();
    connection.write(&app.bytes[..20]).unwrap();
    let status = closed_by_server(&mut connection);
    assert!(status.is_none_or(|s| (400..600).contains(&s)), "{status:?}");
    assert!(!client.has_manifest("app", "1"));
}

#[test]
fn a_slow_but_steady_body_is_no_stall() {
    let client = impatient();
    let bytes = Chance::seeded(91).bytes(30);
    let location = client.open_upload("app");
    let mut connection = client.connect();
    let head = request("PUT", closing(&location, &sha256_of(&bytes))).header("Content-Length", "30");
    connection.send_head(&head).unwrap();
    // Three times the stall limit in all, never a tenth of it at once.
    for byte in &bytes {
        std::thread::sleep(std::time::Duration::from_millis(100));
        connection.write(&[*byte]).unwrap();
    }
    connection.answer(false).unwrap().expect(201);
}

/// Whether a new connection is served.
fn is_served(client: &Client) -> bool {
    Connection::open(client.addr)
        .and_then(|mut c| c.exchange(&get("/healthz")))
        .is_ok_and(|a| a.status == 200)
}

#[test]
fn a_download_that_nobody_reads_gives_its_place_back() {
    let large = Chance::seeded(92).bytes(48 * 1024 * 1024);
    let home = Home::new();
    let server = home.start();
    let digest = server.client().push_blob("app", &large);
    server.stop();
    // One place only: while the stalled download holds it, nobody else is served.
    let home = home.env("HOLDFAST_SERVER_CONNECTIONS_MAX", "1").env("HOLDFAST_SERVER_STALL_SECS", "1");
    let server = home.start();
    let client = server.client();
    let mut stalled = Connection::open(client.addr).unwrap();
    stalled.send_head(&get(format!("/v2/app/blobs/{digest}"))).unwrap();
    eventually("the stalled download is cut", || is_served(&client));
    let rest = stalled.read_to_end().map(|bytes| bytes.len()).unwrap_or_default();
    assert!(rest < large.len(), "a download that was cut came whole");
    assert!(!client.has_blob("app", &digest_of("another")));
}
