//! The contract on a real folder, and what only a filesystem can show: torn and foreign files, restarts, a full
//! disk, and both ways to sync.

use crate::oci::digest::{Algorithm, Digest};
use crate::oci::upload::UploadId;
use crate::storage::blobs::{Blobs, Sealed};
use crate::storage::contract::{self, at, body, bytes, listed, push, read, sha256, walked};
use crate::storage::error::Error;
use crate::storage::filesystem::publisher::Publisher;
use crate::storage::filesystem::root::Root;
use crate::storage::filesystem::store::Filesystem;
use crate::storage::filesystem::sync::Way;
use crate::storage::layout;
use crate::storage::links::{Link, Links, Name};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;

const REPOSITORIES: &str = "docker/registry/v2/repositories";

fn open(folder: &Path) -> Filesystem {
    Filesystem::new(Root::open(folder, 0).unwrap()).unwrap()
}

/// The same with each file and folder synced by itself, as on filesystems of which less is known.
fn open_each(folder: &Path) -> Filesystem {
    let mut filesystem = open(folder);
    filesystem.publisher = Publisher::start_with(Arc::clone(&filesystem.root), Way::Each).unwrap();
    filesystem
}

fn write(folder: &Path, path: &str, content: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

macro_rules! contract {
    ($($name:ident($($part:ident),+);)+) => {
        mod contract_whole { $(contract!(one $name, open, $($part),+);)+ }
        mod contract_each { $(contract!(one $name, open_each, $($part),+);)+ }
    };
    (one $name:ident, $open:ident, $($part:ident),+) => {
        #[tokio::test]
        async fn $name() {
            let folder = tempfile::tempdir().unwrap();
            let filesystem = super::$open(folder.path());
            $(let $part = &filesystem;)+
            super::contract::$name($($part),+).await;
        }
    };
}

contract! {
    blobs_are_read_as_they_were_staged(blobs);
    uploads_come_in_pieces(blobs);
    the_offset_rules(blobs);
    a_wrong_digest_is_told(blobs);
    another_algorithm_seals_too(blobs);
    the_empty_blob(blobs);
    equal_pushes_meet(blobs, links);
    puts_are_read(blobs);
    uploads_are_swept(blobs);
    links_come_and_go(links);
    tags_move_whole(links);
}

#[tokio::test]
async fn a_restart_goes_on_with_staged_uploads() {
    let folder = tempfile::tempdir().unwrap();
    for size in [1_000, 6_000_000] {
        let whole = bytes(size as u64, size);
        let (upload, half) = (UploadId::random(), size / 2);
        let staged =
            open(folder.path()).stage(at(upload, 0), body(&whole.slice(..half), 4096, true)).await.unwrap();
        assert_eq!(staged.size, half as u64);
        let rest = whole.slice(half..);
        open(folder.path()).stage(at(upload, half as u64), body(&rest, 4096, false)).await.unwrap();
        let filesystem = open(folder.path());
        let sealed = filesystem.seal(at(upload, size as u64), &sha256(&whole)).await.unwrap();
        assert_eq!(sealed, Sealed::Stored { size: size as u64 });
        assert!(read(&filesystem, &sha256(&whole), 0, u64::MAX).await.unwrap().1 == whole);
    }
}

#[tokio::test]
async fn staged_bytes_that_a_power_cut_took_are_missed() {
    let folder = tempfile::tempdir().unwrap();
    let (filesystem, upload, whole) = (open(folder.path()), UploadId::random(), bytes(1, 300_000));
    filesystem.stage(at(upload, 0), body(&whole, 4096, false)).await.unwrap();
    fs::File::options()
        .write(true)
        .open(folder.path().join(layout::staged(upload)))
        .unwrap()
        .set_len(99)
        .unwrap();
    let more = filesystem.stage(at(upload, 300_000), body(&whole, 4096, false)).await;
    assert!(matches!(more, Err(Error::StagedLost)), "{more:?}");
    let filesystem = open(folder.path());
    let sealed = filesystem.seal(at(upload, 300_000), &sha256(&whole)).await;
    assert!(matches!(sealed, Err(Error::StagedLost)), "{sealed:?}");
    assert_eq!(filesystem.stat(&sha256(&whole)).await.unwrap(), None);
}

#[tokio::test]
async fn a_push_heals_what_stands_torn_under_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let filesystem = open(folder.path());
    let repository = "app".parse().unwrap();
    for torn in ["", "not these bytes"] {
        for (nth, size) in [1_000, 70_000].into_iter().enumerate() {
            let good = bytes(torn.len() as u64 + nth as u64, size);
            write(folder.path(), &layout::blob(&sha256(&good)), torn);
            if nth == 0 {
                filesystem.put(&sha256(&good), good.clone()).await.unwrap();
            } else {
                push(&filesystem, &filesystem, &repository, &good).await;
            }
            assert!(read(&filesystem, &sha256(&good), 0, u64::MAX).await.unwrap().1 == good);
        }
    }
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    use futures_util::StreamExt;
    let folder = tempfile::tempdir().unwrap();
    let (filesystem, whole) = (open(folder.path()), bytes(3, 3 << 20));
    let digest = push(&filesystem, &filesystem, &"app".parse().unwrap(), &whole).await;
    let mut blob = filesystem.read(&digest, 0, u64::MAX).await.unwrap().unwrap();
    assert!(blob.bytes.next().await.unwrap().is_ok());
    let file = folder.path().join(layout::blob(&digest));
    fs::File::options().write(true).open(file).unwrap().set_len(1 << 20).unwrap();
    let rest: Vec<_> = blob.bytes.collect().await;
    assert!(rest.last().unwrap().is_err());
    assert!(rest.iter().take(rest.len() - 1).all(Result::is_ok), "chunks after an error");
}

#[tokio::test]
async fn absent_is_no_fault_and_a_fault_is_not_absent() {
    let folder = tempfile::tempdir().unwrap();
    let filesystem = open(folder.path());
    let digest = sha256(b"a folder");
    fs::create_dir_all(folder.path().join(layout::blob(&digest))).unwrap();
    assert!(matches!(filesystem.stat(&digest).await, Err(Error::Fault { .. })));
    assert!(filesystem.read(&digest, 0, 1).await.is_err());
    assert!(filesystem.stat(&sha256(b"nothing")).await.unwrap().is_none());
    let repository = "app".parse().unwrap();
    let file = folder.path().join(layout::name_file(&repository, &Name::Layer(digest)));
    fs::create_dir_all(file).unwrap();
    assert!(filesystem.resolve(&repository, &Name::Layer(digest)).await.is_err());
    assert!(filesystem.record(&repository, &[Link::Layer(digest)]).await.is_err());
    filesystem.record(&repository, &[Link::Layer(sha256(b"one fault stops nobody else"))]).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (before, whole) = (open(folder.path()), bytes(4, 50_000));
    let app = "app".parse().unwrap();
    let digest = push(&before, &before, &app, &whole).await;
    let full = Filesystem::new(Root::open(folder.path(), u64::MAX).unwrap()).unwrap();
    let staged = full.stage(at(UploadId::random(), 0), body(&whole, 4096, false)).await;
    assert!(matches!(staged, Err(Error::Full)));
    assert!(matches!(full.put(&digest, whole.clone()).await, Err(Error::Full)));
    assert!(matches!(full.record(&app, &[Link::Revision(digest)]).await, Err(Error::Full)));
    assert!(read(&full, &digest, 0, u64::MAX).await.unwrap().1 == whole);
    full.forget(&app, &[Name::Layer(digest)]).await.unwrap();
    assert_eq!(walked(&full, &app).await, (vec![], vec![]));
    assert!(full.staged_before(u64::MAX).await.unwrap().is_empty(), "a refused write left something");
}

#[tokio::test]
async fn what_a_failing_disk_was_given_is_not_built_upon() {
    let folder = tempfile::tempdir().unwrap();
    let (before, app, whole) = (open(folder.path()), "app".parse().unwrap(), bytes(8, 50_000));
    let kept = push(&before, &before, &app, &bytes(7, 50_000)).await;
    let mut filesystem = open(folder.path());
    filesystem.publisher = Publisher::start_with(Arc::clone(&filesystem.root), Way::Fails).unwrap();
    let upload = UploadId::random();
    filesystem.stage(at(upload, 0), body(&whole, 4096, false)).await.unwrap();
    let sealed = filesystem.seal(at(upload, 50_000), &sha256(&whole)).await;
    assert!(matches!(sealed, Err(Error::Fault { .. })));
    assert!(!folder.path().join(layout::staged(upload)).exists(), "another try could take it for durable");
    assert!(filesystem.record(&app, &[Link::Layer(kept)]).await.is_err());
    assert!(read(&filesystem, &kept, 0, u64::MAX).await.unwrap().1 == bytes(7, 50_000));
    let afresh = open(folder.path());
    push(&afresh, &afresh, &app, &whole).await;
}

#[tokio::test]
async fn a_cancelled_stage_never_mixes_with_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let filesystem = open(folder.path());
    let (upload, first, second) = (UploadId::random(), bytes(5, 8 << 20), bytes(6, 8 << 20));
    // Cut off by dropping the future, as when a connection is torn down, with batches still on their way.
    for polls in 1..30 {
        let mut stage = filesystem.stage(at(upload, 0), body(&first, 65_536, false));
        for _ in 0..polls {
            let polled = std::future::poll_fn(|context| Poll::Ready(stage.as_mut().poll(context))).await;
            if polled.is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(stage);
        let staged = filesystem.stage(at(upload, 0), body(&second, 65_536, false)).await.unwrap();
        assert_eq!(staged.size, second.len() as u64);
        let on_disk = fs::read(folder.path().join(layout::staged(upload))).unwrap();
        assert!(on_disk == second, "after {polls} polls");
    }
}

#[tokio::test]
async fn whoever_works_on_an_upload_has_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let (filesystem, upload) = (open(folder.path()), UploadId::random());
    let held = filesystem.hashes.hold(upload).await;
    let (small, large, empty) = (bytes(1, 100), bytes(2, 1_000_000), sha256(b""));
    for whole in [small, large] {
        let mut stage = filesystem.stage(at(upload, 0), body(&whole, 4096, false));
        let mut seal = filesystem.seal(at(upload, 0), &empty);
        let mut discard = filesystem.discard(upload);
        let polled = std::future::poll_fn(|context| {
            let waits = [
                stage.as_mut().poll(context).is_pending(),
                seal.as_mut().poll(context).is_pending(),
                discard.as_mut().poll(context).is_pending(),
            ];
            Poll::Ready(waits)
        });
        assert_eq!(polled.await, [true; 3]);
        assert!(!folder.path().join(layout::staged(upload)).exists());
    }
    drop(held);
    filesystem.stage(at(upload, 0), body(&bytes(3, 10), 4096, false)).await.unwrap();
}

#[test]
fn a_root_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    fs::write(inside("file"), "").unwrap();
    fs::create_dir(inside("a")).unwrap();
    fs::write(inside("a/docker"), "").unwrap();
    fs::create_dir_all(inside("b/holdfast")).unwrap();
    fs::write(inside("b/holdfast/staging"), "").unwrap();
    fs::create_dir_all(inside("c/docker/registry/v2")).unwrap();
    std::os::unix::fs::symlink("/proc", inside("c/docker/registry/v2/repositories")).unwrap();
    let elsewhere = "/proc/self/none".into();
    let paths = [inside("file"), inside("file/below"), inside("a"), inside("b"), inside("c"), elsewhere];
    for path in paths {
        let Err(Error::Fault { what, source }) = Root::open(&path, 0) else {
            panic!("{path:?} was accepted")
        };
        assert_eq!(Path::new(&what), path);
        assert!(source.to_string().contains("storage folder"), "{source}");
    }
    Root::open(&inside("new/deep"), 0).unwrap();
}

#[tokio::test]
async fn odd_things_are_told_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let filesystem = open(folder.path());
    let app = "app".parse().unwrap();
    let (good, other): (Digest, Digest) = (sha256(b"good"), sha256(b"other"));
    let links = [Link::Layer(good), Link::Revision(good), Link::Tag("v1".parse().unwrap(), good)];
    filesystem.record(&app, &links).await.unwrap();
    let base = format!("{REPOSITORIES}/app");
    let hex = |c: &str| c.repeat(64);
    let mut odd = vec![
        (format!("{base}/_layers/sha256/{}/link", hex("a")), String::new()),
        (format!("{base}/_layers/sha256/{}/link", hex("b")), format!("sha256:{}", "b".repeat(63))),
        (format!("{base}/_layers/sha256/{}/link", hex("c")), other.to_string()),
        (format!("{base}/_layers/sha256/stray"), "x".into()),
        (format!("{base}/_manifests/revisions/sha256/{}/link", hex("d")), "\u{fffd}\n".into()),
        (format!("{base}/_manifests/tags/v2/current/link"), good.to_string() + "\n"),
        (format!("{base}/_manifests/tags/v1/other"), "x".into()),
        (format!("{base}/_manifests/stray"), "x".into()),
    ];
    for (path, content) in &odd {
        write(folder.path(), path, content);
    }
    let mut made = |path: String, entry: &str, told: &str| {
        fs::create_dir_all(folder.path().join(&path).join(entry)).unwrap();
        odd.push((format!("{path}{told}"), String::new()));
    };
    made(format!("{base}/_layers/sha256/nothex"), "", "");
    made(format!("{base}/_layers/md5"), "", "");
    made(format!("{base}/_manifests/tags/v3"), "index", "/current/link");
    made(format!("{base}/_manifests/tags/-bad"), "", "");
    // What registry:2 leaves of a deleted name, and its uploads, are nothing odd.
    fs::create_dir_all(folder.path().join(format!("{base}/_layers/sha256/{}", hex("e")))).unwrap();
    fs::create_dir_all(folder.path().join(format!("{base}/_uploads/some/thing"))).unwrap();
    std::os::unix::fs::symlink("..", folder.path().join(format!("{base}/_layers/loop"))).unwrap();
    let mut expected: Vec<String> = odd.into_iter().map(|(path, _)| path).collect();
    expected.push(format!("{base}/_layers/loop"));
    expected.sort();
    assert_eq!(walked(&filesystem, &app).await, (links.to_vec(), expected));
    for tag in ["v2", "v3"] {
        assert_eq!(filesystem.resolve(&app, &Name::Tag(tag.parse().unwrap())).await.unwrap(), None);
    }
    let torn: Digest = format!("sha256:{}", hex("c")).parse().unwrap();
    assert_eq!(filesystem.resolve(&app, &Name::Layer(torn)).await.unwrap(), None);
    // Recorded again, a torn link is good.
    filesystem.record(&app, &[Link::Layer(torn), Link::Tag("v2".parse().unwrap(), good)]).await.unwrap();
    assert_eq!(filesystem.resolve(&app, &Name::Layer(torn)).await.unwrap(), Some(torn));
    assert_eq!(filesystem.resolve(&app, &Name::Tag("v2".parse().unwrap())).await.unwrap(), Some(good));
}

#[tokio::test]
async fn odd_folders_are_no_repositories() {
    let folder = tempfile::tempdir().unwrap();
    let filesystem = open(folder.path());
    let path = |below: &str| format!("{REPOSITORIES}/{below}");
    for below in
        ["good/_layers", "good/in/side/_manifests", "only/_uploads", "empty/inner", "Bad/_layers", "a..b"]
    {
        fs::create_dir_all(folder.path().join(path(below))).unwrap();
    }
    fs::create_dir_all(folder.path().join(path("_layers"))).unwrap();
    fs::create_dir_all(folder.path().join(path(&format!("{}/x", ["long"; 51].join("/"))))).unwrap();
    write(folder.path(), &path("good/stray"), "x");
    write(folder.path(), &path("top"), "x");
    std::os::unix::fs::symlink(".", folder.path().join(path("good/loop"))).unwrap();
    let long = path(&format!("{}/x", ["long"; 51].join("/")));
    let mut odd: Vec<String> =
        ["Bad", "_layers", "a..b", "good/loop", "good/stray", "top"].map(path).to_vec();
    odd.push(long);
    odd.sort();
    assert_eq!(listed(&filesystem).await, (vec!["good".into(), "good/in/side".into()], odd));
}

#[tokio::test]
async fn what_broken_off_writes_left_is_swept_by_age() {
    let folder = tempfile::tempdir().unwrap();
    let filesystem = open(folder.path());
    let leftover = layout::temporary();
    write(folder.path(), &leftover, "half a manifest");
    write(folder.path(), "holdfast/staging/not-ours", "x");
    assert!(filesystem.staged_before(1).await.unwrap().is_empty());
    assert!(folder.path().join(&leftover).exists());
    assert!(filesystem.staged_before(u64::MAX).await.unwrap().is_empty());
    assert!(!folder.path().join(&leftover).exists());
    assert!(folder.path().join("holdfast/staging/not-ours").exists());
}

#[tokio::test]
async fn the_files_are_those_of_registry_2() {
    let folder = tempfile::tempdir().unwrap();
    let filesystem = open(folder.path());
    let whole = bytes(9, 500);
    let digest = push(&filesystem, &filesystem, &"team/app".parse().unwrap(), &whole).await;
    assert_eq!(digest.algorithm(), Algorithm::Sha256);
    let hex = digest.hex();
    let v2 = folder.path().join("docker/registry/v2");
    let data = fs::read(v2.join(format!("blobs/sha256/{}/{hex}/data", &hex[..2]))).unwrap();
    assert!(data == whole);
    let link =
        fs::read_to_string(v2.join(format!("repositories/team/app/_layers/sha256/{hex}/link"))).unwrap();
    assert_eq!(link, format!("sha256:{hex}"));
    assert_eq!(fs::read_dir(folder.path().join(layout::STAGING)).unwrap().count(), 0);
}
