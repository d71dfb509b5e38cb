//! Whose a folder is, and what becomes of one that cannot be read: it is moved aside, never deleted or misread.

use crate::metadata::config::Engine;
use crate::metadata::contract::{digest_of, manifest, meant, put, repo, tag};
use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::keys;
use crate::metadata::embedded::tests::engines::{file, filled, for_each_engine, opened};
use crate::metadata::embedded::transaction::Transaction;
use crate::metadata::error::Error;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

for_each_engine! {
    one_folder_has_one_user, the_folder_is_for_its_owner_alone, garbage_is_moved_aside, a_cut_file_is_moved_aside_or_read_whole, the_other_engine_s_database_is_moved_aside, another_format_is_moved_aside, two_moved_aside_do_not_meet,
}

async fn one_folder_has_one_user(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let first = opened(engine, folder.path()).await.unwrap();
    let second = opened(engine, folder.path()).await.map(|_| ());
    assert!(matches!(second, Err(Error::InUse(_))), "{second:?}");
    put(&first.0, "app", [manifest("m", &["1"])]).await;
    drop(first);
    let (metadata, moved_aside) = opened(engine, folder.path()).await.unwrap();
    assert_eq!(moved_aside, None);
    assert_eq!(meant(&metadata, "app", "1").await, Some(digest_of("m")));
}

async fn the_folder_is_for_its_owner_alone(engine: Engine) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("above/metadata");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    drop(opened(engine, &folder).await.unwrap());
    assert_eq!(mode(&folder), 0o700);
    assert_ne!(mode(folder.parent().unwrap()), 0o700, "only its own folder");
    // One that an older program has made is closed at the next start.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    drop(opened(engine, &folder).await.unwrap());
    assert_eq!(mode(&folder), 0o700);
    // So is what is moved aside.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o775)).unwrap();
    std::fs::write(file(engine, &folder), "garbage".repeat(9000)).unwrap();
    let (_, moved_aside) = opened(engine, &folder).await.unwrap();
    assert_eq!((mode(&folder), mode(&moved_aside.unwrap())), (0o700, 0o700));
}

async fn garbage_is_moved_aside(engine: Engine) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("metadata");
    filled(engine, &folder).await;
    let length = std::fs::metadata(file(engine, &folder)).unwrap().len() as usize;
    std::fs::write(file(engine, &folder), b"garbage ".repeat(length / 8)).unwrap();
    let (metadata, moved_aside) = opened(engine, &folder).await.unwrap();
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
        let (metadata, moved_aside) = opened(engine, &folder).await.unwrap();
        if metadata.completeness.is_complete().await.unwrap() {
            assert_eq!(moved_aside, None);
            for round in 0..50 {
                let name = round.to_string();
                assert_eq!(
                    meant(&metadata, "app", &name).await,
                    Some(digest_of(&name)),
                    "{tenths} tenths are left"
                );
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
    let (metadata, moved_aside) = opened(engine, &folder).await.unwrap();
    assert!(file(other, &moved_aside.unwrap()).exists());
    assert!(!metadata.completeness.is_complete().await.unwrap());
    assert!(!metadata.manifests.untag(&repo("app"), &tag("1"), None).await.unwrap());
}

/// Another form of the rows must not be misread.
async fn another_format_is_moved_aside(engine: Engine) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("metadata");
    let (database, _) = Database::open(engine, &folder, 7).unwrap();
    let write = |transaction: &mut Transaction<'_>| {
        transaction.put(keys::FORMAT.to_vec(), 99u64.to_le_bytes().to_vec());
        Ok(())
    };
    database.durable(write).await.unwrap();
    drop(database);
    assert!(opened(engine, &folder).await.unwrap().1.is_some());
}

async fn two_moved_aside_do_not_meet(engine: Engine) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("metadata");
    let mut places = Vec::new();
    for _ in 0..3 {
        filled(engine, &folder).await;
        std::fs::write(file(engine, &folder), "garbage".repeat(9000)).unwrap();
        places.push(opened(engine, &folder).await.unwrap().1.unwrap());
    }
    places.dedup();
    assert_eq!(places.len(), 3);
    assert!(places.iter().all(|place| file(engine, place).exists()));
}
