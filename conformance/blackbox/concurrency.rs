//! Many clients at once: identical pushes, the same bytes twice, one tag with many writers.
//! It must not know how the server orders them: only that every answer is true afterwards.

use crate::testkit::chance::Chance;
use crate::testkit::client::{Client, chunk, get, post, put, request};
use crate::testkit::disk::{Layout, files};
use crate::testkit::image::{Manifest, image, index, sha256_of};
use crate::testkit::push::{closing, put_manifest};
use crate::testkit::server::fresh;
use std::sync::Barrier;

/// Runs the same work on that many threads, started together.
fn together(threads: usize, work: impl Fn(usize) + Sync) {
    let start = Barrier::new(threads);
    std::thread::scope(|scope| {
        for at in 0..threads {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                work(at);
            });
        }
    });
}

#[test]
fn fifty_identical_pushes_all_succeed() {
    let client = fresh();
    let app = image(["base", "top"]);
    together(50, |_| {
        client.push("team/app", "1", &app);
    });
    assert_eq!(client.manifest("team/app", "1").body, app.bytes);
    assert_eq!(client.tags("team/app"), ["1"]);
    for blob in &app.blobs {
        assert_eq!(
            &client.send(&get(format!("/v2/team/app/blobs/{}", sha256_of(blob)))).expect(200).body,
            blob
        );
    }
    let data = files(&client.home.registry().join("blobs"));
    assert_eq!(data.len(), app.blobs.len() + 1, "each blob and the manifest stand once: {data:?}");
}

#[test]
fn identical_single_posts_and_mounts_all_succeed() {
    let client = fresh();
    let bytes = Chance::seeded(70).bytes(200_000);
    let digest = sha256_of(&bytes);
    client.push_blob("source", &bytes);
    together(24, |at| {
        let request = if at % 2 == 0 {
            post(format!("/v2/app/blobs/uploads/?digest={digest}")).body(&bytes)
        } else {
            post(format!("/v2/app/blobs/uploads/?mount={digest}&from=source"))
        };
        client.send(&request).expect(201);
    });
    assert_eq!(client.send(&get(format!("/v2/app/blobs/{digest}"))).expect(200).body, bytes);
}

#[test]
fn two_uploads_of_the_same_bytes_at_once_both_succeed() {
    let client = fresh();
    let bytes = Chance::seeded(71).bytes(600_000);
    let digest = sha256_of(&bytes);
    // Both are in the middle of their body at the same time, then both end.
    let mut uploads: Vec<_> = (0..2)
        .map(|_| {
            let location = client.open_upload("app");
            let mut connection = client.connect();
            let head = request("PUT", closing(&location, &digest))
                .header("Expect", "100-continue")
                .header("Transfer-Encoding", "chunked");
            connection.send_head(&head).unwrap();
            connection.answer_head().unwrap().expect(100);
            connection.write(&chunk(&bytes[..300_000])).unwrap();
            connection
        })
        .collect();
    for connection in &mut uploads {
        connection.write(&chunk(&bytes[300_000..])).unwrap();
    }
    for connection in &mut uploads {
        connection.write(b"0\r\n\r\n").unwrap();
    }
    for connection in &mut uploads {
        connection.answer(false).unwrap().expect(201);
    }
    assert_eq!(client.send(&get(format!("/v2/app/blobs/{digest}"))).expect(200).body, bytes);
}

#[test]
fn a_wrong_upload_beside_a_right_one_does_no_harm() {
    let client = fresh();
    let bytes = Chance::seeded(72).bytes(100_000);
    let digest = sha256_of(&bytes);
    together(16, |at| {
        let location = client.open_upload("app");
        let closing = put(closing(&location, &digest));
        if at % 2 == 0 {
            client.send(&closing.body(&bytes)).expect(201);
        } else {
            client.send(&closing.body(&bytes[1..])).refused(400, "DIGEST_INVALID");
        }
    });
    assert_eq!(client.send(&get(format!("/v2/app/blobs/{digest}"))).expect(200).body, bytes);
}

#[test]
fn eight_writers_move_one_tag() {
    let client = fresh();
    let images: Vec<Manifest> = (0..8).map(|n| image(["base"]).annotated("writer", &n.to_string())).collect();
    for app in &images {
        client.push("app", &app.digest, app);
    }
    together(8, |at| {
        for _ in 0..10 {
            client.send(&put_manifest("app", "latest", &images[at])).expect(201);
            let seen = client.manifest("app", "latest");
            assert!(
                images.iter().any(|m| m.bytes == seen.body),
                "the tag answers something that nobody pushed"
            );
        }
    });
    let answered = client.manifest("app", "latest").need("docker-content-digest").to_owned();
    assert!(images.iter().any(|m| m.digest == answered));
    let on_disk = Layout(client.home.registry()).tag_target("app", "latest");
    assert_eq!(on_disk, Some(answered), "the link file says what the server says");
}

#[test]
fn writers_and_deleters_of_one_tag_agree_in_the_end() {
    let client = fresh();
    let images: Vec<Manifest> = (0..4).map(|n| image(["base"]).annotated("writer", &n.to_string())).collect();
    for app in &images {
        client.push("app", &app.digest, app);
    }
    together(8, |at| {
        for _ in 0..8 {
            if at < 4 {
                client.send(&put_manifest("app", "latest", &images[at])).expect(201);
            } else {
                let answer = client.send(&crate::testkit::client::delete("/v2/app/manifests/latest"));
                assert!(matches!(answer.status, 202 | 404), "{answer}");
            }
        }
    });
    let answer = client.send(&get("/v2/app/manifests/latest"));
    let told = answer.header("docker-content-digest").map(str::to_owned);
    let on_disk = Layout(client.home.registry()).tag_target("app", "latest");
    assert_eq!(on_disk, told.filter(|_| answer.status == 200));
}

#[test]
fn many_different_pushes_at_once_are_all_there() {
    let client = fresh();
    let push = |client: &Client, at: usize| {
        let repo = format!("team/app-{}", at % 4);
        let list = index([image(["base"]).annotated("at", &at.to_string()), image(["top"])]);
        client.push(&repo, &format!("tag-{at}"), &list);
        (repo, list)
    };
    together(16, |at| {
        push(&client, at);
    });
    assert_eq!(client.catalog(), ["team/app-0", "team/app-1", "team/app-2", "team/app-3"]);
    for at in 0..16 {
        let (repo, list) = push(&client, at);
        assert_eq!(client.manifest(&repo, &format!("tag-{at}")).body, list.bytes);
        assert_eq!(client.tags(&repo).len(), 4);
    }
}
