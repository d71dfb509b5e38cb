//! `holdfast move`: a registry goes to where another configuration says, while it is served and pushed to. What was
//! acknowledged before the move ended is there afterwards, byte for byte, and logins are what they were. It must not know
//! how any of that is stored.

use crate::testkit::accounts::{ADMIN_PASSWORD, guarded, user};
use crate::testkit::client::{Client, get};
use crate::testkit::image::{Manifest, image, index, sha256_of};
use crate::testkit::push::{get_manifest, put_manifest};
use crate::testkit::server::{Home, Running, eventually, fresh};
use crate::testkit::tool::{Ran, Tool};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A home that is moved to, and the file that says so.
fn target(folder: &Path) -> (Home, PathBuf) {
    let home = Home::new().env("HOLDFAST_METADATA_ENGINE", "redb").with_accounts();
    let file = folder.join("to.toml");
    let toml = format!("data = \"{}\"\n[metadata]\nengine = \"redb\"\n", home.data().display());
    std::fs::write(&file, toml).expect("write the configuration");
    (home, file)
}

#[track_caller]
fn moved(from: &Path, to: &Path, more: &[&str]) -> Ran {
    let (from, to) = (from.display().to_string(), to.display().to_string());
    Tool::new().run(&[&["move", "--data", &from, "--to", &to], more].concat())
}

/// Demands that a server serves an image with all its parts, byte for byte.
#[track_caller]
fn serves(client: &Client, repo: &str, reference: &str, image: &Manifest) {
    assert_eq!(client.manifest(repo, reference).body, image.bytes, "{repo}:{reference}");
    for blob in &image.blobs {
        let answer = client.send(&get(format!("/v2/{repo}/blobs/{}", sha256_of(blob)))).expect(200);
        assert!(answer.body == *blob, "other bytes of a blob of {repo}:{reference}");
    }
    for child in &image.children {
        serves(client, repo, &child.digest, child);
    }
}

/// Somebody who pushes until they are told to stop; gives what was acknowledged.
struct Pusher {
    stop: Arc<AtomicBool>,
    pushed: Arc<Mutex<Vec<(String, Manifest)>>>,
    thread: std::thread::JoinHandle<()>,
}

impl Pusher {
    fn start(client: Client, repo: &'static str) -> Self {
        let (stop, pushed) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (told, list) = (Arc::clone(&stop), Arc::clone(&pushed));
        let thread = std::thread::spawn(move || {
            for number in 0.. {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                let (tag, image) = (format!("n{number}"), image([format!("layer {number}").as_str()]));
                if push(&client, repo, &tag, &image) {
                    list.lock().expect("the list").push((tag, image));
                }
            }
        });
        Self { stop, pushed, thread }
    }

    fn wait_for(&self, count: usize) {
        eventually("images were pushed", || self.pushed.lock().expect("the list").len() >= count);
    }

    fn stop(self) -> Vec<(String, Manifest)> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("the pusher ends");
        let mut pushed = self.pushed.lock().expect("the list");
        std::mem::take(&mut *pushed)
    }
}

/// Pushes an image. False: the registry takes no changes, and says when to try again.
fn push(client: &Client, repo: &str, tag: &str, image: &Manifest) -> bool {
    for blob in &image.blobs {
        let begun = client.send(&crate::testkit::client::post(format!("/v2/{repo}/blobs/uploads/")));
        if begun.status == 503 {
            assert!(begun.header("retry-after").is_some(), "{begun}");
            return false;
        }
        let at = crate::testkit::push::closing(begun.expect(202).need("location"), &sha256_of(blob));
        let put = client.send(&crate::testkit::client::put(at).body(blob));
        if put.status == 503 {
            return false;
        }
        put.expect(201);
    }
    let answer = client.send(&put_manifest(repo, tag, image));
    assert!(matches!(answer.status, 201 | 503), "{answer}");
    answer.status == 201
}

#[test]
fn a_registry_moves_while_it_is_pushed_to() {
    let source = guarded();
    let admin = source.admin();
    let ann = admin.new_user("ann");
    admin.grant(&user("ann"), "team/**", &["pull", "push"]);
    let (app, both) = (image(["base", "top"]), index([image(["base", "arm"]), image(["base", "amd"])]));
    admin.push("team/app", "1", &app);
    admin.push("team/app", "latest", &both);
    admin.push("gone", "1", &image(["gone"]));
    let (home, file) = target(source.home.folder());
    let pusher = Pusher::start(ann, "team/flow");
    pusher.wait_for(3);
    let ran = moved(source.home.data(), &file, &["--json"]).fine();
    let events: Vec<serde_json::Value> =
        ran.lines().iter().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().expect("a kind")).collect();
    for kind in ["survey", "copy", "read_only", "done"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    let done = events.last().expect("the last event");
    assert_eq!((&done["lost"], done["event"].as_str()), (&json!(0), Some("done")));
    assert!(done["bytes_copied"].as_u64() > Some(0), "{done}");
    // Nobody pushes to the old one any more, and everybody pulls from it.
    let refused = admin.send(&put_manifest("team/app", "2", &app)).expect(503);
    assert!(refused.header("retry-after").is_some());
    admin
        .api("POST", "/users", Some(&json!({ "name": "late", "password": "too late for this" })))
        .expect(503);
    serves(&admin, "team/app", "1", &app);
    let pushed = pusher.stop();
    drop(source);
    let server = home.start();
    let admin = server.client().admin();
    serves(&admin, "team/app", "1", &app);
    serves(&admin, "team/app", "latest", &both);
    assert_eq!(admin.catalog(), ["gone", "team/app", "team/flow"]);
    assert_eq!(admin.tags("team/flow").len(), pushed.len());
    let ann = server.client().login("ann", "password of ann");
    for (tag, image) in &pushed {
        serves(&ann, "team/flow", tag, image);
    }
    ann.send(&get_manifest("gone", "1")).expect(403);
    ann.push("team/app", "3", &app);
    assert_eq!(server.client().login("ann", ADMIN_PASSWORD).send(&get("/v2/")).status, 401);
}

#[test]
fn a_second_run_carries_what_is_new_and_takes_away_what_is_gone() {
    let source = fresh();
    let (old, new) = (image(["base", "old"]), image(["base", "new"]));
    source.push("app", "1", &old);
    source.push("app", "gone", &image(["base", "gone"]));
    source.push("whole/repository", "1", &old);
    let (home, file) = target(source.home.folder());
    moved(source.home.data(), &file, &["--keep-writing"]).fine();
    source.push("app", "1", &new);
    source.send(&crate::testkit::client::delete("/v2/app/manifests/gone")).expect(202);
    source.api("DELETE", "/repositories/whole/repository", None).expect(204);
    let ran = moved(source.home.data(), &file, &[]).fine();
    assert!(
        ran.stdout.contains("copied by this run: 3 blobs"),
        "a manifest, its config and a layer: {ran:?}"
    );
    let server = home.start();
    let client = server.client().admin();
    serves(&client, "app", "1", &new);
    assert_eq!(client.tags("app"), ["1"]);
    assert!(client.has_manifest("app", &old.digest), "untagged, and still there by its digest");
    assert_eq!(client.catalog(), ["app"]);
    // From here on it is a registry of its own.
    server.stop();
    moved(source.home.data(), &file, &[]).fails(1, &["already"]);
}

#[test]
fn a_stopped_registry_moves_with_its_audit_trail_and_stays_as_it_was() {
    let source = guarded();
    let app = image(["base", "top"]);
    source.admin().push("app", "1", &app);
    let Running { server, home: old, .. } = source;
    server.stop();
    let (home, file) = target(old.folder());
    let ran = moved(old.data(), &file, &[]).fine();
    assert!(ran.stdout.contains("serve --config"), "{ran:?}");
    for home in [&home, &old] {
        let server = home.start();
        serves(&server.client().admin(), "app", "1", &app);
        let events = server.client().admin().api("GET", "/events", None).expect(200).json();
        assert!(events.to_string().contains("app:1"), "{events}");
        server.stop();
    }
}

#[test]
fn what_the_new_configuration_does_not_say_of_the_data_folder_stays_as_it_was() {
    let source = guarded();
    let app = image(["base", "top"]);
    source.admin().push("app", "1", &app);
    let Running { server, home, .. } = source;
    server.stop();
    let folder = home.folder().join("images");
    let file = home.folder().join("to.toml");
    std::fs::write(&file, format!("[storage.filesystem]\nroot = \"{}\"\n", folder.display()))
        .expect("write the configuration");
    let tool = Tool::new();
    let (data, to) = (home.data().display().to_string(), file.display().to_string());
    tool.run(&["move", "--data", &data, "--to", &to]).fine();
    assert!(!tool.folder().join("holdfast-data").exists(), "a data folder that nobody has named");
    let home = home.env("HOLDFAST_STORAGE_FILESYSTEM_ROOT", folder.display().to_string());
    serves(&home.start().client().admin(), "app", "1", &app);
}

#[test]
fn a_torn_blob_is_told_and_the_rest_is_moved() {
    let source = fresh();
    let (whole, torn) = (image(["base", "whole"]), image(["base", "torn"]));
    source.push("app", "whole", &whole);
    source.push("app", "torn", &torn);
    let layout = crate::testkit::disk::Layout(source.home.registry());
    let digest = crate::testkit::image::digest_of("torn");
    std::fs::write(layout.data_path(&digest), "other bytes").expect("tear a blob");
    let (home, file) = target(source.home.folder());
    moved(source.home.data(), &file, &[]).fails(1, &[&digest, "not of its digest"]);
    let server = home.start();
    let client = server.client().admin();
    serves(&client, "app", "whole", &whole);
    assert!(client.has_manifest("app", "torn") && !client.has_blob("app", &digest));
}

#[test]
fn what_is_no_place_to_move_to_is_refused_and_nothing_is_changed() {
    let (source, other) = (fresh(), fresh());
    source.push("app", "1", &image(["base"]));
    other.push("other", "1", &image(["other"]));
    let (home, file) = target(source.home.folder());
    let write = |data: &Path| {
        std::fs::write(&file, format!("data = \"{}\"\n", data.display())).expect("write the configuration");
    };
    write(source.home.data());
    moved(source.home.data(), &file, &[]).fails(1, &["the same storage"]);
    write(other.home.data());
    moved(source.home.data(), &file, &[]).fails(1, &["running"]);
    let Running { server, home: others, .. } = other;
    server.stop();
    moved(source.home.data(), &file, &[]).fails(1, &["already"]);
    moved(&home.folder().join("nowhere"), &file, &[]).fails(1, &["nowhere"]);
    assert_eq!(others.start().client().catalog(), ["other"]);
    source.push("app", "2", &image(["base"]));
}

#[test]
fn a_move_that_was_killed_goes_on_and_nobody_serves_its_half() {
    let source = fresh();
    let images: Vec<Manifest> = (0..150).map(|n| image(["base", format!("layer {n}").as_str()])).collect();
    for (number, image) in images.iter().enumerate() {
        source.push("app", &format!("n{number}"), image);
    }
    let (home, file) = target(source.home.folder());
    let storage = home.data().join("registry");
    let mut moving = std::process::Command::new(crate::testkit::server::PROGRAM)
        .args(["move", "--jobs", "1", "--data"])
        .arg(source.home.data())
        .arg("--to")
        .arg(&file)
        .env_clear()
        .spawn()
        .expect("the program starts");
    eventually("some of it is copied", || {
        crate::testkit::disk::files(&storage.join("docker/registry/v2/blobs")).len() > 5
    });
    moving.kill().expect("kill");
    moving.wait().expect("it ends");
    assert!(moved_is_half(&home), "the kill came too late to show anything");
    let (status, log) = home.start_refused();
    assert!(!status.success() && log.contains("holdfast move"), "{log}");
    moved(source.home.data(), &file, &[]).fine();
    let server = home.start();
    for (number, image) in images.iter().enumerate() {
        serves(&server.client().admin(), "app", &format!("n{number}"), image);
    }
}

/// Whether the kill came before the end.
fn moved_is_half(home: &Home) -> bool {
    let mark = home.data().join("registry/holdfast/records/marks/target.json");
    std::fs::read_to_string(mark).is_ok_and(|text| text.contains("false"))
}

#[test]
fn the_old_server_is_given_back() {
    let source = fresh();
    source.push("app", "1", &image(["base"]));
    let (_home, file) = target(source.home.folder());
    moved(source.home.data(), &file, &[]).fine();
    assert!(!push(&source, "app", "2", &image(["base"])));
    let data = source.home.data().display().to_string();
    Tool::new().run(&["move", "--data", &data, "--abort"]).fine();
    assert!(push(&source, "app", "2", &image(["base"])));
    moved(source.home.data(), &file, &[]).fine();
    let again = source.home.data().to_owned();
    drop(source.server);
    let restarted = Home::new().data_at(&again).start();
    assert!(push(&restarted.client(), "app", "3", &image(["base"])), "a restart takes changes again");
}

#[test]
fn a_registry_for_reading_alone_takes_accounts_and_no_images() {
    let source = guarded();
    source.admin().push("app", "1", &image(["base"]));
    let Running { server, home, .. } = source;
    server.stop();
    let home = home.env("HOLDFAST_REGISTRY_READ_ONLY", "true");
    let server = home.start();
    let admin = server.client().admin();
    assert!(admin.has_manifest("app", "1"));
    for call in [
        put_manifest("app", "2", &image(["base"])),
        crate::testkit::client::post("/v2/app/blobs/uploads/"),
        crate::testkit::client::delete("/v2/app/manifests/1"),
    ] {
        let answer = admin.send(&call).expect(405);
        assert!(answer.to_string().contains("UNSUPPORTED"), "{answer}");
    }
    admin.new_user("ann");
}

#[test]
fn the_metadata_alone_moves_and_takes_the_storage_along() {
    let root = tempfile::tempdir().expect("a folder");
    let on_root =
        |home: Home| home.env("HOLDFAST_STORAGE_FILESYSTEM_ROOT", root.path().display().to_string());
    let old = on_root(Home::new());
    let server = old.start();
    let app = image(["base", "top"]);
    server.client().push("app", "1", &app);
    let (home, file) = target(old.folder());
    let home = on_root(home);
    let storage = format!("[storage.filesystem]\nroot = \"{}\"\n", root.path().display());
    let toml = std::fs::read_to_string(&file).expect("the configuration") + &storage;
    std::fs::write(&file, toml).expect("write the configuration");
    let config = old.folder().join("from.toml");
    std::fs::write(&config, &storage).expect("write the configuration");
    let from = ["--config", config.to_str().expect("a path")];
    moved(old.data(), &file, &[&from[..], &["--keep-writing"]].concat()).fine();
    assert!(push(&server.client(), "app", "2", &app), "it takes changes again");
    moved(old.data(), &file, &from).fine();
    assert!(!push(&server.client(), "app", "3", &app));
    serves(&server.client(), "app", "1", &app);
    moved(old.data(), &file, &from).fails(1, &["nothing to move"]);
    server.stop();
    let server = home.start();
    assert!(!server.log().contains("made again"), "{}", server.log());
    let admin = server.client().admin();
    assert_eq!(admin.tags("app"), ["1", "2"]);
    admin.push("app", "4", &app);
    server.stop();
    let server = old.start();
    assert!(server.log().contains("is older, and is made again"), "{}", server.log());
    assert_eq!(server.client().tags("app"), ["1", "2", "4"]);
}

#[test]
fn the_images_alone_move_and_take_the_metadata_along() {
    let source = fresh();
    let (app, late) = (image(["base", "top"]), image(["base", "late"]));
    source.push("app", "1", &app);
    let data = source.home.data().to_owned();
    let root = source.home.folder().join("elsewhere");
    let file = source.home.folder().join("to.toml");
    let toml =
        format!("data = \"{}\"\n[storage.filesystem]\nroot = \"{}\"\n", data.display(), root.display());
    std::fs::write(&file, toml).expect("write the configuration");
    moved(&data, &file, &[]).fine();
    let Running { server, home: old, .. } = source;
    assert!(!push(&server.client(), "app", "2", &app));
    server.stop();
    let new = Home::new().data_at(&data).env("HOLDFAST_STORAGE_FILESYSTEM_ROOT", root.display().to_string());
    let server = new.start();
    assert!(!server.log().contains("made again"), "{}", server.log());
    serves(&server.client(), "app", "1", &app);
    server.client().push("app", "late", &late);
    server.stop();
    // By mistake: it does not answer with what the other storage holds, nor the other one after it with what this one does.
    let server = old.start();
    assert_eq!(server.client().tags("app"), ["1"]);
    server.stop();
    let server = new.start();
    assert_eq!(server.client().tags("app"), ["1", "late"]);
    serves(&server.client(), "app", "late", &late);
}
