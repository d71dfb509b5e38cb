//! Serving: the ping, health, request ids and log lines, graceful shutdown, what makes the server refuse to start,
//! HTTP/2 without TLS. It must not know repositories beyond a plain push. Slow clients are in stalls.rs.

use crate::testkit::chance::Chance;
use crate::testkit::client::{Connection, chunk, get, head, put, request};
use crate::testkit::image::{digest_of, image, sha256_of};
use crate::testkit::push::closing;
use crate::testkit::server::{Home, eventually, fresh, running};
use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn the_ping_answers_with_and_without_a_slash() {
    let client = fresh();
    for path in ["/v2/", "/v2"] {
        for request in [get(path), head(path)] {
            let answer = client.send(&request).expect(200);
            assert_eq!(answer.need("docker-distribution-api-version"), "registry/2.0");
        }
    }
}

#[test]
fn health_and_readiness() {
    let client = fresh();
    client.send(&get("/healthz")).expect(200);
    client.send(&get("/readyz")).expect(200);
}

#[test]
fn every_answer_has_an_id_of_its_own() {
    let client = fresh();
    client.push("app", "1", &image(["base"]));
    let mut connection = client.connect();
    let mut ids = BTreeSet::new();
    let paths = [
        "/v2/",
        "/healthz",
        "/readyz",
        "/v2/app/manifests/1",
        "/v2/app/manifests/2",
        "/v2/BAD/tags/list",
        "/nothing",
    ];
    for _ in 0..5 {
        for path in paths {
            let answer = connection.exchange(&get(path)).unwrap();
            assert!(ids.insert(answer.need("x-request-id").to_owned()), "an id came twice");
        }
    }
}

#[test]
fn every_request_is_one_line_of_the_log() {
    let client = fresh();
    client.push("team/app", "1", &image(["base"]));
    let wanted = [
        ("/v2/team/app/manifests/1".to_owned(), "200"),
        ("/v2/team/app/manifests/absent".to_owned(), "404"),
        (format!("/v2/team/app/blobs/{}", digest_of("base")), "200"),
        ("/v2/team/app/tags/list?n=abc".to_owned(), "400"),
    ];
    let told: Vec<(String, &str)> = wanted
        .iter()
        .map(|(path, status)| (client.send(&get(path)).need("x-request-id").to_owned(), *status))
        .collect();
    let lines_of = |id: &str| -> Vec<String> {
        client.server.log().lines().filter(|line| line.contains(id)).map(str::to_owned).collect()
    };
    for (id, status) in &told {
        eventually("the request is in the log", || !lines_of(id).is_empty());
        let line = &lines_of(id)[0];
        assert!(line.contains(status) && line.contains("team/app"), "{line}");
    }
    client.server.terminate();
    eventually("the server is gone", || Connection::open(client.addr).is_err());
    for (id, _) in &told {
        assert_eq!(lines_of(id).len(), 1, "one line for {id}");
    }
}

#[test]
fn stdout_is_one_line_and_sigterm_ends_with_0() {
    let home = Home::new();
    for signal in ["-TERM", "-INT"] {
        let mut server = home.start();
        let pid = server.pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let status = server.wait_exit();
        assert_eq!(status.code(), Some(0), "{signal}: {}", server.log());
        assert_eq!(server.further_lines(), Vec::<String>::new());
    }
}

#[test]
fn a_graceful_shutdown_lets_a_download_and_an_upload_end() {
    let home = Home::new();
    let mut server = home.start();
    let client = server.client();
    let large = Chance::seeded(80).bytes(64 * 1024 * 1024);
    let digest = client.push_blob("app", &large);

    let mut download = client.connect();
    download.send_head(&get(format!("/v2/app/blobs/{digest}"))).unwrap();
    download.answer_head().unwrap().expect(200);
    let mut have = download.exactly(100_000).unwrap();

    let fresh = Chance::seeded(81).bytes(300_000);
    let location = client.open_upload("app");
    let mut upload = client.connect();
    let head = request("PUT", closing(&location, &sha256_of(&fresh)))
        .header("Expect", "100-continue")
        .header("Transfer-Encoding", "chunked");
    upload.send_head(&head).unwrap();
    upload.answer_head().unwrap().expect(100);
    upload.write(&chunk(&fresh[..100_000])).unwrap();

    server.terminate();
    eventually("new connections are refused", || {
        Connection::open(client.addr).and_then(|mut c| c.exchange(&get("/v2/"))).is_err()
    });
    upload.write(&chunk(&fresh[100_000..])).unwrap();
    upload.write(b"0\r\n\r\n").unwrap();
    upload.answer(false).unwrap().expect(201);
    have.extend(download.exactly(large.len() - have.len()).unwrap());
    assert_eq!(sha256_of(&have), digest);
    assert_eq!(server.wait_exit().code(), Some(0));

    let server = home.start();
    assert_eq!(
        server.client().send(&get(format!("/v2/app/blobs/{}", sha256_of(&fresh)))).expect(200).body,
        fresh
    );
}

#[test]
fn a_shutdown_does_not_wait_for_ever() {
    let home = Home::new().env("HOLDFAST_SERVER_SHUTDOWN_SECS", "1");
    let mut server = home.start();
    let client = server.client();
    let location = client.open_upload("app");
    let mut idle = client.connect();
    idle.exchange(&get("/v2/")).unwrap().expect(200);
    let mut stuck = client.connect();
    let head = request("PATCH", &location).header("Expect", "100-continue").header("Content-Length", "1000");
    stuck.send_head(&head).unwrap();
    stuck.answer_head().unwrap().expect(100);
    server.terminate();
    assert_eq!(server.wait_exit().code(), Some(0));
}

#[test]
fn everything_is_there_after_a_restart() {
    let home = Home::new();
    let app = image(["base", "top"]);
    let server = home.start();
    server.client().push("team/app", "1", &app);
    server.stop();
    let server = home.start();
    let client = server.client();
    assert_eq!(client.manifest("team/app", "1").body, app.bytes);
    assert_eq!(client.catalog(), ["team/app"]);
    client.push("team/app", "2", &app);
    server.kill();
    let server = home.start();
    assert_eq!(server.client().tags("team/app"), ["1", "2"]);
}

#[test]
fn a_second_server_on_the_same_folder_refuses() {
    let client = fresh();
    let (status, told) = client.home.start_refused();
    assert!(!status.success());
    assert!(!told.trim().is_empty(), "it says why");
    assert!(!told.contains("panicked"), "{told}");
    client.send(&get("/v2/")).expect(200);
    client.push("app", "1", &image(["base"]));
}

#[test]
fn a_rebuild_beside_a_running_server_refuses() {
    let client = fresh();
    let app = image(["base"]);
    client.push("app", "1", &app);
    let output = client.home.rebuild();
    assert!(!output.status.success(), "a rebuild under a running server");
    assert_eq!(client.manifest("app", "1").body, app.bytes);
}

#[test]
fn a_storage_folder_that_cannot_be_written_refuses_to_start() {
    // The tests may run as root, whom modes do not stop: a file stands where a folder must be.
    let home = Home::new();
    std::fs::create_dir_all(home.data()).unwrap();
    std::fs::write(home.data().join("registry"), "in the way").unwrap();
    let (status, told) = home.start_refused();
    assert!(!status.success());
    assert!(told.contains("registry"), "it names the folder: {told}");
    assert!(!told.contains("panicked"), "{told}");

    let elsewhere = Home::new();
    let blocked = elsewhere.folder().join("file");
    std::fs::write(&blocked, "in the way").unwrap();
    let root = blocked.join("storage").display().to_string();
    let elsewhere = elsewhere.env("HOLDFAST_STORAGE_FILESYSTEM_ROOT", &root);
    let (status, told) = elsewhere.start_refused();
    assert!(!status.success());
    assert!(told.contains(&root), "it names the folder: {told}");
}

#[test]
fn headers_have_a_limit() {
    let client = fresh();
    let large = get("/v2/").header("X-Large", "x".repeat(1024 * 1024));
    let many = (0..2000).fold(get("/v2/"), |request, n| request.header(&format!("X-{n}"), "x"));
    for request in [large, many] {
        let mut connection = client.connect();
        match connection.exchange(&request) {
            Ok(answer) => assert!(matches!(answer.status, 400 | 431), "{answer}"),
            // The refusal may be lost when the server closes with our bytes unread.
            Err(error) => {
                assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "neither answered nor closed");
            }
        }
        client.send(&get("/v2/")).expect(200);
    }
    let long = get(format!("/v2/app/tags/list?last={}", "x".repeat(200_000)));
    let answer = client.send(&long);
    assert!((400..500).contains(&answer.status), "{answer}");
}

#[test]
fn http_2_is_spoken_without_tls_when_the_client_begins_so() {
    let client = fresh();
    let mut connection = client.connect();
    connection.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    connection.write(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
    let frame = connection.exactly(9).unwrap();
    assert_eq!((frame[3], frame[4]), (4, 0), "the first frame is a SETTINGS frame: {frame:?}");
}

#[test]
fn redb_serves_as_sled_does() {
    let client = running(Home::new().env("HOLDFAST_METADATA_ENGINE", "redb"));
    let app = image(["base", "top"]);
    client.push("team/app", "1", &app);
    assert_eq!(client.manifest("team/app", "1").body, app.bytes);
    let (home, server) = (client.home, client.server);
    server.stop();
    let server = home.start();
    assert_eq!(server.client().manifest("team/app", "1").body, app.bytes);
}

#[test]
fn a_changed_engine_finds_everything_again() {
    let home = Home::new();
    let app = image(["base", "top"]);
    let server = home.start();
    server.client().push("team/app", "1", &app);
    server.stop();
    let home = home.env("HOLDFAST_METADATA_ENGINE", "redb");
    let server = home.start();
    assert_eq!(server.client().manifest("team/app", "1").body, app.bytes);
    server.client().send(&put("/v2/nobody/manifests/1")).refused(400, "MANIFEST_INVALID");
}
