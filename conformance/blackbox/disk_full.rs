//! A disk that is full: pushes get a sentence, nothing is corrupted, and there is room again when there is room.
//! It needs a small file system of its own, which only root can mount; elsewhere it says that it was skipped.

use crate::testkit::answer::Answer;
use crate::testkit::chance::Chance;
use crate::testkit::client::{Client, get, patch, post, put};
use crate::testkit::image::{image, sha256_of};
use crate::testkit::push::closing;
use crate::testkit::server::{Home, Running, eventually, running};
use crate::testkit::skip::skipped;
use std::path::{Path, PathBuf};
use std::process::Command;

const MIB: usize = 1024 * 1024;
const UPLOADS: &str = "/v2/app/blobs/uploads/";

/// A mounted file system of that size, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, size: usize) -> Result<Self, String> {
        std::fs::create_dir_all(at).map_err(|e| e.to_string())?;
        let options = format!("size={size}");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output();
        let output = output.map_err(|e| e.to_string())?;
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(Self(at.to_owned())) } else { Err(told) }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A server whose data is on a small disk; `None` where nothing can be mounted. Fields drop in their order.
struct OnSmallDisk {
    client: Running,
    disk: SmallDisk,
    around: tempfile::TempDir,
}

fn on_small_disk(test: &str, reserve: usize) -> Option<OnSmallDisk> {
    let around = tempfile::tempdir().unwrap();
    match SmallDisk::mount(&around.path().join("disk"), 96 * MIB) {
        Ok(disk) => {
            let home = Home::new()
                .data_at(&disk.0.join("data"))
                .env("HOLDFAST_STORAGE_FILESYSTEM_FREE_BYTES_MIN", reserve.to_string());
            Some(OnSmallDisk { client: running(home), disk, around })
        }
        Err(why) => {
            skipped(test, format!("a tmpfs cannot be mounted here: {why}"));
            None
        }
    }
}

#[track_caller]
fn is_full(answer: &Answer) {
    assert!(matches!(answer.status, 507 | 503), "{answer}");
    let message = answer.json()["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.split_whitespace().count() >= 3, "a sentence: {answer}");
    assert!(!message.contains('/'), "no path is told: {answer}");
}

/// Pushes blobs of that size until one is refused; gives what was acknowledged.
#[track_caller]
fn fill(client: &Client, seed: u64, size: usize) -> Vec<Vec<u8>> {
    let mut stored = Vec::new();
    for n in 0..1000 {
        let bytes = Chance::seeded(seed + n).bytes(size);
        let opened = client.send(&post(UPLOADS));
        if opened.status != 202 {
            is_full(&opened);
            return stored;
        }
        let answer = client.send(&put(closing(opened.need("location"), &sha256_of(&bytes))).body(&bytes));
        if answer.status == 201 {
            stored.push(bytes);
            continue;
        }
        is_full(&answer);
        assert!(!client.has_blob("app", &sha256_of(&bytes)));
        return stored;
    }
    panic!("a disk of 96 MiB took {} blobs of {size} bytes", stored.len());
}

#[track_caller]
fn all_served(client: &Client, stored: &[Vec<u8>]) {
    for bytes in stored {
        let answer = client.send(&get(format!("/v2/app/blobs/{}", sha256_of(bytes)))).expect(200);
        assert_eq!(&answer.body, bytes);
    }
}

#[test]
fn a_full_disk_refuses_serves_on_and_recovers() {
    for (test, reserve) in [("with a reserve", 16 * MIB), ("without a reserve", 0)] {
        let Some(small) = on_small_disk(test, reserve) else { return };
        let client = &small.client;
        let before = image(["before"]);
        client.push("app", "before", &before);
        let ballast = small.disk.0.join("ballast");
        std::fs::write(&ballast, vec![1; 40 * MIB]).unwrap();

        let mut stored = fill(client, 1000, 4 * MIB);
        stored.extend(fill(client, 2000, 300 * 1024));
        println!("{test}: {} blobs were acknowledged before the disk was full", stored.len());
        assert!(!stored.is_empty());
        assert_eq!(client.manifest("app", "before").body, before.bytes);
        all_served(client, &stored);
        client.send(&get("/v2/_catalog")).expect(200);

        std::fs::remove_file(&ballast).unwrap();
        eventually("the server sees that there is room", || {
            let small = format!("{UPLOADS}?digest={}", sha256_of(b"small"));
            client.send(&post(small).body(b"small")).status == 201
        });
        let after = image(["after"]);
        client.push("app", "after", &after);
        let late = Chance::seeded(3000).bytes(8 * MIB);
        client.push_blob("app", &late);
        stored.push(late);
        all_served(client, &stored);
    }
}

#[test]
fn what_was_acknowledged_on_a_full_disk_outlives_a_kill() {
    let Some(small) = on_small_disk("outlives a kill", 8 * MIB) else { return };
    let ballast = small.disk.0.join("ballast");
    std::fs::write(&ballast, vec![1; 40 * MIB]).unwrap();
    let stored = fill(&small.client, 4000, 3 * MIB);
    // Later bindings drop first: the server's home, then the mount, then the folder around it.
    let (_around, disk) = (small.around, small.disk);
    let Running { server, home, .. } = small.client;
    server.kill();
    std::fs::remove_file(disk.0.join("ballast")).unwrap();
    let server = home.start();
    all_served(&server.client(), &stored);
    server.client().push("app", "after", &image(["after"]));
    server.stop();
}

#[test]
fn an_upload_that_met_a_full_disk_can_go_on() {
    let Some(small) = on_small_disk("can go on", 0) else { return };
    let client = &small.client;
    let ballast = small.disk.0.join("ballast");
    std::fs::write(&ballast, vec![1; 60 * MIB]).unwrap();
    let bytes = Chance::seeded(5000).bytes(45 * MIB);
    let location = client.open_upload("app");
    is_full(&client.send(&patch(&location).body(&bytes)));
    std::fs::remove_file(&ballast).unwrap();
    let status = client.send(&get(&location)).expect(204);
    let end: usize = status.need("range").strip_prefix("0-").unwrap().parse().unwrap();
    let from = if end == 0 { 0 } else { end + 1 };
    assert!(from < bytes.len());
    let range = format!("{from}-{}", bytes.len() - 1);
    client.send(&patch(&location).header("Content-Range", range).body(&bytes[from..])).expect(202);
    client.send(&put(closing(&location, &sha256_of(&bytes)))).expect(201);
    all_served(client, &[bytes]);
}
