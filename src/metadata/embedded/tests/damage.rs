//! Rows that a disk has changed are told, and nothing panics, or answers as if they were not there.

use crate::metadata::accounts::Accounts;
use crate::metadata::audit::Audit;
use crate::metadata::blobs::Blobs;
use crate::metadata::config::Engine;
use crate::metadata::contract::{digest_of, manifest, repo, tag};
use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::keys;
use crate::metadata::embedded::tests::engines::for_each_engine;
use crate::metadata::embedded::transaction::Transaction;
use crate::metadata::error::Error;
use crate::metadata::intents::{IntentId, Intents};
use crate::metadata::manifests::Manifests;
use crate::metadata::signing_keys::{SigningKey, SigningKeys};
use crate::oci::page::Page;
use crate::oci::reference::Reference;
use crate::record::{Record, Shelf};
use crate::secret::Secret;

for_each_engine! {
    damaged_rows_are_told, a_missing_piece_is_told, damaged_rows_of_accounts_are_told,
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
