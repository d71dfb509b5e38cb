//! A client that takes its time keeps nobody else waiting.

use crate::metadata::intents::{Begun, Intent, IntentId};
use crate::oci::digest::Algorithm;
use crate::oci::hasher;
use crate::registry::delete;
use crate::registry::tests::replica::{World, app, push};
use crate::registry::uploads::{Chunk, whole};
use crate::stream;
use bytes::Bytes;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test]
async fn a_body_that_never_ends_is_in_nobody_s_way() {
    let Some(world) = World::new().await else { return };
    let ((one, _), (two, _)) = (world.replica().await, world.replica().await);
    let bytes = Bytes::from_static(b"layer");
    let layer = hasher::digest(Algorithm::Sha256, &bytes);
    let chunk = |bytes| Chunk { bytes: Some(bytes), length: None, range: None };
    whole(&one, &app(), chunk(stream::once(bytes.clone())), &layer).await.unwrap();
    let (polled, reached) = tokio::sync::oneshot::channel();
    let endless = futures_util::stream::once(async {
        polled.send(()).unwrap();
        std::future::pending().await
    });
    let app = app();
    let removal = async {
        reached.await.unwrap();
        assert_eq!(world.intents().await, 0);
        delete::blob(&two, &app, &layer).await
    };
    let removal = tokio::time::timeout(Duration::from_secs(5), removal);
    tokio::select! {
        sent = whole(&one, &app, chunk(Box::pin(endless)), &layer) => panic!("{sent:?}"),
        removed = removal => removed.expect("nobody is in its way").unwrap(),
    }
}

#[tokio::test]
async fn who_waits_for_another_replica_holds_no_lock() {
    let Some(world) = World::new().await else { return };
    let ((here, _), (there, _)) = (world.replica().await, world.replica().await);
    let digest = push(&here, "x").await.unwrap();
    let in_the_way = Intent {
        repository: app(),
        blobs: vec![],
        manifests: vec![],
        tags: vec!["1".parse().unwrap()],
        removing: false,
    };
    let begun = there.metadata.intents.begin(IntentId::random(), &in_the_way).await;
    assert_eq!(begun.unwrap(), Begun::Stands);
    let statements = here.metadata.shared.clone().unwrap().statements;
    let (app, one) = (app(), "1".parse().unwrap());
    let asked = async |times| {
        let before = statements.load(Ordering::Relaxed);
        while statements.load(Ordering::Relaxed) < before + times {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let free = async {
        asked(12).await; // and told that they have to wait
        here.locks.removing(&app).await
    };
    let free = tokio::time::timeout(Duration::from_secs(5), free);
    tokio::select! {
        pushed = push(&here, "y") => panic!("{pushed:?}"),
        removed = delete::tag(&here, &app, &one) => panic!("{removed:?}"),
        removed = delete::manifest(&here, &app, &digest) => panic!("{removed:?}"),
        free = free => drop(free.expect("whoever waits for another replica keeps nobody of this one waiting")),
    }
}
