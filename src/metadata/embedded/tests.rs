//! Both engines keep the contract of metadata, and what no backend but these can get wrong: folders that are in
//! use, damaged or full, and commits that a crash cuts off.

use crate::metadata::config::{Config, Engine};
use crate::metadata::contract::{self, digest_of, manifest, meant, put, repo, tag, upload};
use crate::metadata::error::Error;
use crate::metadata::open::{self, Metadata};
use std::path::{Path, PathBuf};

fn opened(engine: Engine, folder: &Path) -> Result<(Metadata, Option<PathBuf>), Error> {
    let opened = open::open(&Config { engine, path: String::new() }, folder, 7)?;
    Ok((opened.metadata, opened.moved_aside))
}

macro_rules! for_each_engine {
    ($($name:ident,)*) => {
        mod on_sled {
            $(#[tokio::test] async fn $name() { super::$name(super::Engine::Sled).await; })*
        }
        mod on_redb {
            $(#[tokio::test] async fn $name() { super::$name(super::Engine::Redb).await; })*
        }
    };
}

macro_rules! keep_the_contract {
    ($($rule:ident,)*) => {
        $(async fn $rule(engine: Engine) {
            let folder = tempfile::tempdir().unwrap();
            let (metadata, moved_aside) = opened(engine, folder.path()).unwrap();
            assert_eq!(moved_aside, None);
            contract::$rule(&metadata).await;
        })*
        mod contract_on_sled {
            $(#[tokio::test] async fn $rule() { super::$rule(super::Engine::Sled).await; })*
        }
        mod contract_on_redb {
            $(#[tokio::test] async fn $rule() { super::$rule(super::Engine::Redb).await; })*
        }
    };
}
contract::every_rule!(keep_the_contract);

for_each_engine! {
    what_was_written_is_there_after_a_restart, what_was_answered_survives_a_kill,
    one_folder_has_one_user, garbage_is_moved_aside, a_cut_file_is_moved_aside_or_read_whole,
    the_other_engine_s_database_is_moved_aside, two_moved_aside_do_not_meet,
}

async fn what_was_written_is_there_after_a_restart(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let upload = upload("app", 3);
    for round in 0..3 {
        let (metadata, moved_aside) = opened(engine, folder.path()).unwrap();
        assert_eq!(moved_aside, None);
        if round > 0 {
            assert_eq!(meant(&metadata, "app", "1").await, Some(digest_of("m")));
            assert!(metadata.uploads.find(&repo("app"), upload.id).await.unwrap().is_some());
            assert!(metadata.completeness.is_complete().await.unwrap());
        }
        put(&metadata, "app", [manifest("m", &["1"])]).await;
        metadata.completeness.set_complete().await.unwrap();
        // Not durable when it is answered, but when the database is closed.
        metadata.uploads.open(&upload, 1).await.unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// What the kernel has of the files while the database is open is what a kill leaves.
async fn what_was_answered_survives_a_kill(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let (metadata, _) = opened(engine, &folder.path().join("live")).unwrap();
    let large = bytes::Bytes::from(vec![7; 50 << 10]);
    for round in 0..20 {
        let name = round.to_string();
        let upload = upload("app", 1);
        metadata.uploads.open(&upload, 100).await.unwrap();
        let mut new = manifest(&name, &[&name, "latest"]);
        new.body = Some(large.clone());
        put(&metadata, "app", [new]).await;
        metadata.blobs.link(&repo("app"), &digest_of(&name), 9, None).await.unwrap();
        let killed = folder.path().join(format!("killed-{round}"));
        copy(&folder.path().join("live"), &killed);
        let (left, moved_aside) = opened(engine, &killed).unwrap();
        assert_eq!(moved_aside, None);
        for earlier in 0..=round {
            let earlier = earlier.to_string();
            assert_eq!(meant(&left, "app", &earlier).await, Some(digest_of(&earlier)));
            let body = left.manifests.body(&repo("app"), &digest_of(&earlier)).await.unwrap();
            assert!(body == Some(Some(large.clone())));
            assert_eq!(left.blobs.size(&repo("app"), &digest_of(&earlier)).await.unwrap(), Some(9));
        }
        // What was written before something durable is durable with it.
        assert_eq!(left.uploads.find(&repo("app"), upload.id).await.unwrap(), Some(upload));
        assert_eq!(meant(&left, "app", "latest").await, Some(digest_of(&name)));
    }
    let blobs = std::fs::read_dir(folder.path().join("live/blobs"));
    assert_eq!(blobs.map_or(0, Iterator::count), 0, "sled never syncs files of its own for large pages");
}

async fn one_folder_has_one_user(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let first = opened(engine, folder.path()).unwrap();
    let second = opened(engine, folder.path()).map(|_| ());
    assert!(matches!(second, Err(Error::InUse(_))), "{second:?}");
    put(&first.0, "app", [manifest("m", &["1"])]).await;
    drop(first);
    let (metadata, moved_aside) = opened(engine, folder.path()).unwrap();
    assert_eq!(moved_aside, None);
    assert_eq!(meant(&metadata, "app", "1").await, Some(digest_of("m")));
}

fn file(engine: Engine, folder: &Path) -> PathBuf {
    folder.join(match engine {
        Engine::Sled => crate::metadata::embedded::sled::FILE,
        Engine::Redb => crate::metadata::embedded::redb::FILE,
    })
}

async fn filled(engine: Engine, folder: &Path) {
    let (metadata, _) = opened(engine, folder).unwrap();
    for round in 0..50 {
        let name = round.to_string();
        put(&metadata, "app", [manifest(&name, &[&name])]).await;
    }
    metadata.completeness.set_complete().await.unwrap();
}

async fn garbage_is_moved_aside(engine: Engine) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("metadata");
    filled(engine, &folder).await;
    let length = std::fs::metadata(file(engine, &folder)).unwrap().len() as usize;
    std::fs::write(file(engine, &folder), b"garbage ".repeat(length / 8)).unwrap();
    let (metadata, moved_aside) = opened(engine, &folder).unwrap();
    let aside = parent.path().join("metadata.corrupt-7");
    assert_eq!(moved_aside.as_deref(), Some(aside.as_path()));
    assert!(file(engine, &aside).exists(), "nothing is deleted");
    assert!(!metadata.completeness.is_complete().await.unwrap());
    put(&metadata, "app", [manifest("m", &["1"])]).await;
}

async fn a_cut_file_is_moved_aside_or_read_whole(engine: Engine) {
    for tenths in 0..10 {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("metadata");
        filled(engine, &folder).await;
        let cut = std::fs::File::options().write(true).open(file(engine, &folder)).unwrap();
        cut.set_len(cut.metadata().unwrap().len() / 10 * tenths).unwrap();
        let (metadata, moved_aside) = opened(engine, &folder).unwrap();
        if metadata.completeness.is_complete().await.unwrap() {
            assert_eq!(moved_aside, None);
            for round in 0..50 {
                let name = round.to_string();
                assert_eq!(meant(&metadata, "app", &name).await, Some(digest_of(&name)), "{tenths} tenths are left");
            }
        }
        put(&metadata, "app", [manifest("m", &["1"])]).await;
    }
}

async fn the_other_engine_s_database_is_moved_aside(engine: Engine) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("metadata");
    let other = if engine == Engine::Sled { Engine::Redb } else { Engine::Sled };
    filled(other, &folder).await;
    let (metadata, moved_aside) = opened(engine, &folder).unwrap();
    assert!(file(other, &moved_aside.unwrap()).exists());
    assert!(!metadata.completeness.is_complete().await.unwrap());
    assert!(!metadata.manifests.untag(&repo("app"), &tag("1")).await.unwrap());
}

async fn two_moved_aside_do_not_meet(engine: Engine) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("metadata");
    let mut places = Vec::new();
    for _ in 0..3 {
        filled(engine, &folder).await;
        std::fs::write(file(engine, &folder), "garbage".repeat(9000)).unwrap();
        places.push(opened(engine, &folder).unwrap().1.unwrap());
    }
    places.dedup();
    assert_eq!(places.len(), 3);
    assert!(places.iter().all(|place| file(engine, place).exists()));
}
