//! What was answered survives a kill, and what a run has begun is there for the next one to settle.

use crate::metadata::accounts_contract;
use crate::metadata::config::Engine;
use crate::metadata::contract::{digest_of, manifest, meant, put, repo};
use crate::metadata::embedded::tests::engines::{for_each_engine, opened};
use crate::metadata::intents::{Begun, Intent, IntentId};
use crate::metadata::open::Metadata;
use crate::metadata::signing_keys::SigningKey;
use crate::metadata::uploads_contract::upload;
use crate::oci::page::Page;
use crate::record::{Record, Shelf};
use crate::secret::Secret;
use std::collections::BTreeSet;
use std::path::Path;

for_each_engine! {
    what_was_written_is_there_after_a_restart, what_was_answered_survives_a_kill, accounts_and_keys_survive_a_kill, what_the_last_run_left_is_told_and_nothing_else,
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
