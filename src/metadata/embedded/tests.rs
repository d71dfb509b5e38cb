//! Both engines keep the contract of metadata, and what no backend but these can get wrong: folders that are in
//! use, damaged or full, and commits that a crash cuts off.

use crate::metadata::accounts::Accounts;
use crate::metadata::accounts_contract;
use crate::metadata::audit::Audit;
use crate::metadata::blobs::Blobs;
use crate::metadata::completeness_contract;
use crate::metadata::config::{Config, Engine};
use crate::metadata::contract::{self, digest_of, manifest, meant, put, repo, tag};
use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::keys;
use crate::metadata::embedded::transaction::Transaction;
use crate::metadata::error::Error;
use crate::metadata::intents::{Begun, Intent, IntentId, Intents};
use crate::metadata::manifests::Manifests;
use crate::metadata::open::{self, Metadata};
use crate::metadata::signing_keys::{SigningKey, SigningKeys};
use crate::metadata::uploads_contract::{self, upload};
use crate::oci::page::Page;
use crate::oci::reference::Reference;
use crate::record::{Record, Shelf};
use crate::secret::Secret;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

async fn opened(engine: Engine, folder: &Path) -> Result<(Metadata, Option<PathBuf>), Error> {
    let opened = open::open(&Config { engine, ..Config::default() }, folder, 7).await?;
    Ok((opened.metadata, opened.moved_aside))
}

macro_rules! for_each_engine {
    ($($name:ident,)*) => {
        mod on_sled {
            use crate::metadata::embedded::tests as each;
            $(#[tokio::test] async fn $name() { each::$name(each::Engine::Sled).await; })*
        }
        mod on_redb {
            use crate::metadata::embedded::tests as each;
            $(#[tokio::test] async fn $name() { each::$name(each::Engine::Redb).await; })*
        }
    };
}

macro_rules! keep_the_contract {
    ($contract:ident; $($rule:ident,)*) => {
        $(async fn $rule(engine: Engine) {
            let folder = tempfile::tempdir().unwrap();
            let (metadata, moved_aside) = opened(engine, folder.path()).await.unwrap();
            assert_eq!(moved_aside, None);
            $contract::$rule(&metadata).await;
        })*
        mod contract_on_sled {
            use super::Engine;
            $(#[tokio::test] async fn $rule() { super::$rule(Engine::Sled).await; })*
        }
        mod contract_on_redb {
            use super::Engine;
            $(#[tokio::test] async fn $rule() { super::$rule(Engine::Redb).await; })*
        }
    };
}

mod of_images {
    use super::{Engine, contract, opened};
    contract::every_rule!(keep_the_contract);
}

mod of_completeness {
    use super::{Engine, completeness_contract, opened};
    completeness_contract::every_rule!(keep_the_contract);
}

mod of_uploads {
    use super::{Engine, opened, uploads_contract};
    uploads_contract::every_rule!(keep_the_contract);
}

mod of_accounts {
    use super::{Engine, accounts_contract, opened};
    accounts_contract::every_rule!(keep_the_contract);
}

for_each_engine! {
    what_was_written_is_there_after_a_restart, what_was_answered_survives_a_kill,
    one_folder_has_one_user, garbage_is_moved_aside, a_cut_file_is_moved_aside_or_read_whole,
    the_other_engine_s_database_is_moved_aside, two_moved_aside_do_not_meet,
    what_the_last_run_left_is_told_and_nothing_else, damaged_rows_are_told, damaged_rows_of_accounts_are_told, the_folder_is_for_its_owner_alone,
    accounts_and_keys_survive_a_kill, a_missing_piece_is_told, another_format_is_moved_aside,
}

async fn what_was_written_is_there_after_a_restart(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let upload = upload("app", 3);
    for round in 0..3 {
        let (metadata, moved_aside) = opened(engine, folder.path()).await.unwrap();
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

fn intent(repository: &str) -> Intent {
    Intent {
        repository: repo(repository),
        blobs: vec![digest_of("m")],
        manifests: vec![],
        tags: vec![],
        removing: false,
    }
}

/// What the kernel has of the files while the database is open is what a kill leaves.
async fn what_was_answered_survives_a_kill(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let (metadata, _) = opened(engine, &folder.path().join("live")).await.unwrap();
    let large = bytes::Bytes::from(vec![7; 50 << 10]);
    for round in 0..20 {
        let name = round.to_string();
        let mut new = manifest(&name, &[&name, "latest"]);
        new.body = Some(large.clone());
        put(&metadata, "app", [new]).await;
        metadata.blobs.link(&repo("app"), &digest_of(&name), 9, None).await.unwrap();
        // What was written before something durable is durable with it.
        let (standing, fulfilled) = (IntentId::random(), IntentId::random());
        assert_eq!(metadata.intents.begin(standing, &intent("app")).await.unwrap(), Begun::Stands);
        assert_eq!(metadata.intents.begin(fulfilled, &intent("app")).await.unwrap(), Begun::Stands);
        let blob = digest_of(&format!("blob {round}"));
        metadata.blobs.link(&repo("app"), &blob, 5, Some(fulfilled)).await.unwrap();
        let killed = folder.path().join(format!("killed-{round}"));
        copy(&folder.path().join("live"), &killed);
        let (left, moved_aside) = opened(engine, &killed).await.unwrap();
        assert_eq!(moved_aside, None);
        for earlier in 0..=round {
            let earlier = earlier.to_string();
            assert_eq!(meant(&left, "app", &earlier).await, Some(digest_of(&earlier)));
            let body = left.manifests.body(&repo("app"), &digest_of(&earlier)).await.unwrap();
            assert!(body == Some(Some(large.clone())));
            assert_eq!(left.blobs.size(&repo("app"), &digest_of(&earlier)).await.unwrap(), Some(9));
        }
        // Either the facts are there, or the intent that tells of them.
        let pending: Vec<_> =
            left.intents.pending(100).await.unwrap().into_iter().map(|(id, _)| id).collect();
        assert!(pending.contains(&standing));
        let known = left.blobs.size(&repo("app"), &blob).await.unwrap() == Some(5);
        assert_ne!(
            known,
            pending.contains(&fulfilled),
            "facts and the end of their intent are one transaction"
        );
        assert_eq!(meant(&left, "app", "latest").await, Some(digest_of(&name)));
    }
    let blobs = std::fs::read_dir(folder.path().join("live/blobs"));
    assert_eq!(blobs.map_or(0, Iterator::count), 0, "sled never syncs files of its own for large pages");
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

fn file(engine: Engine, folder: &Path) -> PathBuf {
    folder.join(match engine {
        Engine::Sled => crate::metadata::embedded::sled::FILE,
        Engine::Redb => crate::metadata::embedded::redb::FILE,
    })
}

async fn filled(engine: Engine, folder: &Path) {
    let (metadata, _) = opened(engine, folder).await.unwrap();
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

/// Rows that a disk has changed are told, and nothing panics.
async fn damaged_rows_are_told(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = Database::open(engine, folder.path(), 7).unwrap();
    let (app, digest, one) = (repo("app"), digest_of("m"), tag("1"));
    let intent = IntentId::random();
    let damaged = [
        keys::manifest(&app, &digest),
        keys::body(&app, &digest),
        keys::tag(&app, &one),
        keys::counts(&app),
        keys::link(&app, &digest),
        keys::holder(&digest, &app),
        keys::intent(intent),
        keys::referrer(&app, &digest, &digest),
        [keys::tags(&app), b"no tag".to_vec()].concat(),
        [keys::CATALOG.to_vec(), b"NO NAME".to_vec()].concat(),
    ];
    let write = move |transaction: &mut Transaction<'_>| {
        for key in damaged {
            transaction.put(key, "??");
        }
        Ok(())
    };
    database.durable(write).await.unwrap();
    let page = Page::first(9);
    let by_digest = Reference::Digest(digest);
    let answers = [
        database.resolve(&app, &by_digest).await.err(),
        database.resolve(&app, &Reference::Tag(one.clone())).await.err(),
        database.body(&app, &digest).await.err(),
        database.put(&app, manifest("m", &["1"]), true, None).await.err(),
        database.put(&app, manifest("new", &[]), true, None).await.err(),
        database.put(&app, manifest("new", &["1"]), true, None).await.err(),
        database.untag(&app, &one, None).await.err(),
        Manifests::forget(&database, &app, &digest, None).await.err(),
        database.tags(&app, &page).await.err(),
        database.repositories(&page).await.err(),
        database.referrers(&app, &digest, None, &page).await.err(),
        database.size(&app, &digest).await.err(),
        database.holders(&digest, None, 9).await.err(),
        database.unlink(&app, &digest, None).await.err(),
    ];
    for (number, answer) in answers.iter().enumerate() {
        assert!(matches!(answer, Some(Error::Damaged(_))), "answer {number} is {answer:?}");
    }
    drop(database);
    let (database, _) = Database::open(engine, folder.path(), 7).unwrap();
    assert!(matches!(Intents::pending(&database, 9).await, Err(Error::Damaged(_))));
}

async fn damaged_rows_of_accounts_are_told(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = Database::open(engine, folder.path(), 7).unwrap();
    let record = Record { version: 1, json: "{}".into() };
    Accounts::keep(&database, Shelf::Tokens, "good", record.clone()).await.unwrap();
    Audit::append(&database, vec![(1, "{}".into()), (2, "{}".into())]).await.unwrap();
    let canary = b"-----BEGIN PRIVATE KEY canary".as_slice();
    let damaged = [
        keys::record(Shelf::Users, "a"),
        keys::signing_key("k"),
        keys::used("good"),
        [keys::PENDING, b"\x99a"].concat(),
    ];
    let write = move |transaction: &mut Transaction<'_>| {
        for key in damaged {
            transaction.put(key, canary);
        }
        transaction.put(keys::event(1), "??");
        transaction.put(keys::record(Shelf::Users, "short"), vec![2, 0, 0, 0, 1, 1]);
        Ok(())
    };
    database.durable(write).await.unwrap();
    let key = SigningKey { id: "new".into(), algorithm: "ES256".into(), pem: Secret::new("x"), created: 1 };
    let answers = [
        Accounts::find(&database, Shelf::Users, "a").await.err(),
        Accounts::find(&database, Shelf::Users, "short").await.err(),
        Accounts::list(&database, Shelf::Users, &Page::first(9)).await.err(),
        Accounts::keep(&database, Shelf::Users, "a", record).await.err(),
        Accounts::last_used(&database, "good").await.err(),
        SigningKeys::all(&database).await.err(),
        SigningKeys::add(&database, &key, 0).await.err(),
        Audit::newest(&database, None, 9).await.err(),
    ];
    for (number, answer) in answers.iter().enumerate() {
        let Some(Error::Damaged(why)) = answer else { panic!("answer {number} is {answer:?}") };
        assert!(!why.contains("canary"), "{why}");
    }
    assert_eq!(Audit::newest(&database, None, 1).await.unwrap().len(), 1, "others are told");
    assert!(!Audit::trim(&database, 0, 1).await.unwrap(), "it does not stay for ever");
    assert_eq!(Audit::newest(&database, None, 9).await.unwrap().len(), 1);
    Accounts::used(&database, &[("good".into(), 5)]).await.unwrap();
    assert_eq!(Accounts::last_used(&database, "good").await.unwrap(), Some(5));
    let write = |transaction: &mut Transaction<'_>| {
        transaction.put(keys::EVENTS_ENDS.to_vec(), [9_u64.to_le_bytes(), 1_u64.to_le_bytes()].concat());
        Ok(())
    };
    database.durable(write).await.unwrap();
    assert!(matches!(Audit::newest(&database, None, 9).await, Err(Error::Damaged(_))));
    assert!(matches!(Audit::append(&database, vec![(1, "{}".into())]).await, Err(Error::Damaged(_))));
    drop(database);
    let (database, _) = Database::open(engine, folder.path(), 7).unwrap();
    assert!(matches!(Accounts::pending(&database, 9).await, Err(Error::Damaged(_))));
}

/// What a run has begun is for the next one to settle, never for itself.
async fn what_the_last_run_left_is_told_and_nothing_else(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let (left, running): ([_; 3], _) = ([(); 3].map(|()| IntentId::random()), IntentId::random());
    let told = async |metadata: &Metadata, count| -> BTreeSet<_> {
        let pending = metadata.intents.pending(count).await.unwrap();
        assert!(pending.iter().all(|(_, told)| *told == intent("app")));
        pending.into_iter().map(|(id, _)| id.0).collect()
    };
    let (metadata, _) = opened(engine, folder.path()).await.unwrap();
    for id in left {
        assert_eq!(metadata.intents.begin(id, &intent("app")).await.unwrap(), Begun::Stands);
    }
    for name in ["a", "b"] {
        accounts_contract::begin(&metadata, Shelf::Users, name).await;
    }
    assert!(told(&metadata, 9).await.is_empty());
    drop(metadata);
    let (metadata, _) = opened(engine, folder.path()).await.unwrap();
    assert_eq!(metadata.intents.begin(running, &intent("app")).await.unwrap(), Begun::Stands);
    accounts_contract::begin(&metadata, Shelf::Users, "running").await;
    assert_eq!(told(&metadata, 9).await, left.map(|id| id.0).into());
    assert_eq!(told(&metadata, 2).await.len(), 2);
    assert!(metadata.intents.holds(left[0]) && metadata.intents.holds(running));
    metadata.intents.end(left[0]).await.unwrap();
    metadata.blobs.link(&repo("app"), &digest_of("b"), 1, Some(left[1])).await.unwrap();
    assert_eq!(told(&metadata, 9).await, [left[2].0].into());
    assert_eq!(metadata.accounts.pending(1).await.unwrap().len(), 1);
    assert_eq!(metadata.accounts.pending(0).await.unwrap(), []);
    metadata.accounts.forget(Shelf::Users, "a").await.unwrap();
    assert_eq!(metadata.accounts.pending(9).await.unwrap(), [(Shelf::Users, "b".into())]);
    metadata.accounts.keep(Shelf::Users, "b", Record { version: 1, json: "{}".into() }).await.unwrap();
    assert_eq!(metadata.accounts.pending(9).await.unwrap(), []);
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

/// What the kernel has of the files while the database is open is what a kill leaves.
async fn accounts_and_keys_survive_a_kill(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let (metadata, _) = opened(engine, &folder.path().join("live")).await.unwrap();
    let large = |version: u64| Record { version, json: vec![version as u8; 20_000].into() };
    for round in 1..6 {
        accounts_contract::begin(&metadata, Shelf::Users, "changing").await;
        metadata.accounts.keep(Shelf::Users, "a", large(round)).await.unwrap();
        metadata.accounts.keep(Shelf::Tokens, &round.to_string(), large(1)).await.unwrap();
        if round > 1 {
            metadata.accounts.forget(Shelf::Tokens, &(round - 1).to_string()).await.unwrap();
        }
        let id = round.to_string();
        let key = SigningKey { id, algorithm: "ES256".into(), pem: Secret::new("x"), created: round };
        assert!(metadata.signing_keys.add(&key, round - 1).await.unwrap());
        let killed = folder.path().join(format!("killed-{round}"));
        copy(&folder.path().join("live"), &killed);
        let (left, moved_aside) = opened(engine, &killed).await.unwrap();
        assert_eq!(moved_aside, None);
        assert!(left.accounts.find(Shelf::Users, "a").await.unwrap() == Some(large(round)));
        let tokens = left.accounts.list(Shelf::Tokens, &Page::first(9)).await.unwrap().entries;
        assert_eq!(tokens.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), [round.to_string()]);
        assert_eq!(left.accounts.pending(9).await.unwrap(), [(Shelf::Users, "changing".into())]);
        assert_eq!(left.signing_keys.all().await.unwrap().len() as u64, round);
    }
    let blobs = std::fs::read_dir(folder.path().join("live/blobs"));
    assert_eq!(blobs.map_or(0, Iterator::count), 0, "sled never syncs files of its own for large pages");
}

/// A body whose later pieces are gone is damaged, not shorter.
async fn a_missing_piece_is_told(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = Database::open(engine, folder.path(), 7).unwrap();
    let (app, digest) = (repo("app"), digest_of("m"));
    let mut new = manifest("m", &[]);
    new.body = Some(vec![1; 30_000].into());
    database.put(&app, new, true, None).await.unwrap();
    let piece = keys::piece(&keys::body(&app, &digest), 2);
    database
        .durable(move |transaction| {
            transaction.remove(piece);
            Ok(())
        })
        .await
        .unwrap();
    assert!(matches!(database.body(&app, &digest).await, Err(Error::Damaged(_))));
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
