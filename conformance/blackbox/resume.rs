//! Uploads that are interrupted: a body that is cut, a server that is stopped or killed, two writers at once.
//! The status must tell the truth, and what is resumed from there must end in the right digest.

use crate::testkit::chance::Chance;
use crate::testkit::client::{Client, Connection, chunk, get, patch, put, request};
use crate::testkit::image::sha256_of;
use crate::testkit::push::closing;
use crate::testkit::server::{Home, eventually, fresh};

/// How many bytes the server says it has; `None` when it does not know the upload.
#[track_caller]
fn offset(client: &Client, location: &str) -> Option<usize> {
    let status = client.send(&get(location));
    if status.status == 404 {
        assert_eq!(status.codes(), ["BLOB_UPLOAD_UNKNOWN"]);
        return None;
    }
    let range = status.need("range").to_owned();
    status.expect(204);
    let end: usize =
        range.strip_prefix("0-").and_then(|e| e.parse().ok()).unwrap_or_else(|| panic!("Range: {range}"));
    // `0-0` is an upload of nothing yet, or of one byte; no test here sends a single byte.
    Some(if end == 0 { 0 } else { end + 1 })
}

/// Sends the rest from where the server says it is, closes the upload, and compares what is served.
#[track_caller]
fn resume(client: &Client, location: &str, bytes: &[u8], from: usize) {
    let range = format!("{from}-{}", bytes.len() - 1);
    if from < bytes.len() {
        client.send(&patch(location).header("Content-Range", range).body(&bytes[from..])).expect(202);
    }
    let digest = sha256_of(bytes);
    client.send(&put(closing(location, &digest))).expect(201);
    assert_eq!(client.send(&get(format!("/v2/app/blobs/{digest}"))).expect(200).body, bytes);
}

/// Begins a PATCH that promises everything and sends only so much; the connection stays open. The server's
/// `100 Continue` shows that it is reading.
#[track_caller]
fn begin_patch(client: &Client, location: &str, bytes: &[u8], sent: usize, chunked: bool) -> Connection {
    let head = request("PATCH", location).header("Expect", "100-continue");
    let head = if chunked {
        head.header("Transfer-Encoding", "chunked")
    } else {
        head.header("Content-Length", bytes.len().to_string())
    };
    let mut connection = client.connect();
    connection.send_head(&head).unwrap();
    connection.answer_head().unwrap().expect(100);
    if chunked {
        for piece in bytes[..sent].chunks(10_000) {
            connection.write(&chunk(piece)).unwrap();
        }
    } else {
        connection.write(&bytes[..sent]).unwrap();
    }
    connection
}

/// The server learns of a cut in its own time; until then the upload still has a writer.
#[track_caller]
fn settled(client: &Client, location: &str) {
    eventually("the server notices the cut", || client.send(&patch(location)).status != 409);
}

#[test]
fn a_body_that_is_cut_is_resumed() {
    let client = fresh();
    for (seed, chunked) in [(30, false), (31, true)] {
        let bytes = Chance::seeded(seed).bytes(900_000);
        let sent = 600_000;
        let location = client.open_upload("app");
        begin_patch(&client, &location, &bytes, sent, chunked).cut();
        settled(&client, &location);
        assert_eq!(offset(&client, &location), Some(sent), "what arrived is kept");
        resume(&client, &location, &bytes, sent);
    }
}

#[test]
fn a_put_that_is_cut_stores_nothing_and_can_be_resumed() {
    let client = fresh();
    let bytes = Chance::seeded(32).bytes(500_000);
    let digest = sha256_of(&bytes);
    let location = client.open_upload("app");
    let mut connection = client.connect();
    let head = request("PUT", closing(&location, &digest))
        .header("Expect", "100-continue")
        .header("Content-Length", bytes.len().to_string());
    connection.send_head(&head).unwrap();
    connection.answer_head().unwrap().expect(100);
    connection.write(&bytes[..200_000]).unwrap();
    connection.cut();
    settled(&client, &location);
    assert!(!client.has_blob("app", &digest));
    assert_eq!(offset(&client, &location), Some(200_000), "what arrived is kept");
    resume(&client, &location, &bytes, 200_000);
}

#[test]
fn cut_again_and_again() {
    let client = fresh();
    let bytes = Chance::seeded(33).bytes(300_000);
    let location = client.open_upload("app");
    let mut at = 0;
    let mut chance = Chance::seeded(34);
    for round in 0..6 {
        let piece = 2 + chance.below(40_000);
        begin_patch(&client, &location, &bytes[at..], piece, round % 2 == 0).cut();
        at += piece;
        settled(&client, &location);
        assert_eq!(offset(&client, &location), Some(at), "what arrived is kept");
    }
    resume(&client, &location, &bytes, at);
}

#[test]
fn an_upload_goes_on_after_a_graceful_restart() {
    let home = Home::new();
    let bytes = Chance::seeded(35).bytes(400_000);
    let server = home.start();
    let location = server.client().open_upload("app");
    server.client().send(&patch(&location).body(&bytes[..150_000])).expect(202);
    let empty = server.client().open_upload("app");
    server.stop();
    let server = home.start();
    assert_eq!(offset(&server.client(), &location), Some(150_000));
    resume(&server.client(), &location, &bytes, 150_000);
    resume(&server.client(), &empty, &bytes[..1000], 0);
}

#[test]
fn an_upload_tells_the_truth_after_a_kill() {
    let home = Home::new();
    let mut chance = Chance::seeded(36);
    let mut survived = 0;
    for round in 0..4 {
        let bytes = Chance::seeded(40 + round).bytes(500_000);
        let server = home.start();
        let client = server.client();
        let location = client.open_upload("app");
        client.send(&patch(&location).body(&bytes[..200_000])).expect(202);
        let running = begin_patch(&client, &location, &bytes[200_000..], chance.below(250_000), false);
        server.kill();
        drop(running);
        let server = home.start();
        let client = server.client();
        let known = offset(&client, &location);
        println!("round {round}: after the kill the upload is at {known:?}");
        if let Some(at) = known {
            assert!(at <= bytes.len());
            survived += 1;
            resume(&client, &location, &bytes, at);
        } else {
            let location = client.open_upload("app");
            resume(&client, &location, &bytes, 0);
        }
    }
    println!("{survived} of 4 uploads survived SIGKILL");
}

#[test]
fn a_finished_upload_takes_nothing_more() {
    let client = fresh();
    let bytes = Chance::seeded(50).bytes(1000);
    let location = client.open_upload("app");
    client.send(&put(closing(&location, &sha256_of(&bytes))).body(&bytes)).expect(201);
    let chunk = patch(&location).header("Content-Range", "1000-1009").body([1; 10]);
    for request in
        [patch(&location).body(b"more"), chunk, get(&location), put(closing(&location, &sha256_of(&bytes)))]
    {
        client.send(&request).refused(404, "BLOB_UPLOAD_UNKNOWN");
    }
    assert_eq!(client.send(&get(format!("/v2/app/blobs/{}", sha256_of(&bytes)))).expect(200).body, bytes);
}

#[test]
fn a_second_patch_at_once_is_409_and_harmless() {
    let client = fresh();
    let bytes = Chance::seeded(51).bytes(300_000);
    let location = client.open_upload("app");
    let mut first = begin_patch(&client, &location, &bytes, 100_000, false);
    for _ in 0..3 {
        client.send(&patch(&location).body([7; 5000])).refused(409, "BLOB_UPLOAD_INVALID");
        client.send(&put(closing(&location, &sha256_of(&bytes)))).refused(409, "BLOB_UPLOAD_INVALID");
    }
    first.write(&bytes[100_000..]).unwrap();
    first.answer(false).unwrap().expect(202);
    resume(&client, &location, &bytes, bytes.len());
}

#[test]
fn many_patches_at_once_leave_one_order() {
    let client = fresh();
    let location = client.open_upload("app");
    let pieces: Vec<Vec<u8>> = (0..8).map(|n| Chance::seeded(60 + n).bytes(50_000)).collect();
    let taken: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = pieces
            .iter()
            .map(|piece| {
                let (client, location) = (*client, &location);
                scope.spawn(move || match client.send(&patch(location).body(piece)) {
                    answer if answer.status == 202 => true,
                    answer => {
                        answer.refused(409, "BLOB_UPLOAD_INVALID");
                        false
                    }
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let count = taken.iter().filter(|t| **t).count();
    assert!(count >= 1, "one of the writers must get through");
    assert_eq!(
        offset(&client, &location),
        Some(count * 50_000),
        "only whole pieces of those that were told 202"
    );
}
