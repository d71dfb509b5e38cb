//! Processes that are held: none begins a change, and whoever holds them knows when the last one has ended.

use crate::metadata::contract::{manifest, repo};
use crate::metadata::error::Error;
use crate::metadata::holds::Holds;
use crate::metadata::intents::{Begun, IntentId, Settling};
use crate::metadata::open::Metadata;
use crate::metadata::postgres::database::TERM;
use crate::metadata::postgres::scratch;
use crate::metadata::postgres::tests::replicas::intent;
use crate::record::{Record, Shelf};
use std::sync::Arc;
use std::time::Duration;

fn holds(process: &Metadata) -> Arc<dyn Holds> {
    Arc::clone(&process.shared.as_ref().unwrap().holds)
}

async fn begin(process: &Metadata, words: &str) -> (IntentId, Begun) {
    let id = IntentId::random();
    (id, process.intents.begin(id, &intent(words)).await.unwrap())
}

async fn begin_user(process: &Metadata, name: &str) -> Begun {
    process.accounts.begin(Shelf::Users, name).await.unwrap()
}

#[tokio::test]
async fn while_a_registry_is_moved_nothing_begins_and_what_had_begun_ends() {
    let Some(scratch) = scratch::database().await else { return };
    let [a, b, mover] =
        [scratch.process(TERM).await, scratch.process(TERM).await, scratch.process(TERM).await];
    let (push, _) = begin(&a, "+m:m,t:1").await;
    assert_eq!(begin_user(&b, "alice").await, Begun::Stands);
    let hold = holds(&mover);
    assert!(hold.begin_move(TERM).await.unwrap());
    assert!(holds(&a).is_held().await.unwrap());
    assert_eq!(hold.under_way().await.unwrap(), 2);
    assert_eq!(begin(&b, "+b:y").await.1, Begun::Held);
    assert_eq!(begin_user(&a, "bob").await, Begun::Held);
    assert_eq!(begin_user(&a, "alice").await, Begun::Held, "which another one has begun");
    // What had begun ends well, or is settled by whoever began it.
    assert_eq!(begin_user(&b, "alice").await, Begun::Stands);
    assert_eq!(begin(&a, "+t:1").await.1, Begun::Held);
    let name = IntentId::random();
    let begun = a.intents.begin_settling(name, &intent("+t:1"), Settling::Begun).await;
    assert_eq!(begun.unwrap(), Begun::Stands);
    a.intents.end(name).await.unwrap();
    a.manifests.put(&repo("app"), manifest("m", &["1"]), true, Some(push)).await.unwrap();
    b.accounts.keep(Shelf::Users, "alice", Record { version: 1, json: "{}".into() }).await.unwrap();
    assert_eq!(hold.under_way().await.unwrap(), 0);
    let late = a.intents.begin_settling(IntentId::random(), &intent("+t:1"), Settling::Begun).await;
    assert_eq!(late.unwrap(), Begun::Held, "nothing of it is under way any more");
    assert!(hold.go_on(TERM).await.unwrap());
    hold.end_move().await.unwrap();
    assert_eq!(begin(&a, "+t:1").await.1, Begun::Stands);
    assert_eq!(begin_user(&a, "bob").await, Begun::Stands);
    assert!(!hold.go_on(TERM).await.unwrap(), "it has ended");
}

#[tokio::test]
async fn a_change_that_begins_as_the_move_does_is_counted_or_refused() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, mover) = (scratch.process(TERM).await, scratch.process(TERM).await);
    let hold = holds(&mover);
    for round in 0..60 {
        let words = format!("+t:{round}");
        let moved = async {
            assert!(hold.begin_move(TERM).await.unwrap());
            hold.under_way().await.unwrap()
        };
        let ((id, begun), under_way) = tokio::join!(begin(&a, &words), moved);
        assert_eq!(begun == Begun::Stands, under_way == 1, "round {round}: {begun:?}, {under_way}");
        a.intents.end(id).await.unwrap();
        hold.end_move().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_process_left_that_is_no_more_does_not_hold_up_a_move() {
    let Some(scratch) = scratch::database().await else { return };
    let (away, mover) = (scratch.process(TERM).await, scratch.process(TERM).await);
    let (push, _) = begin(&away, "+m:m,t:1").await;
    assert_eq!(begin_user(&away, "alice").await, Begun::Stands);
    let hold = holds(&mover);
    assert!(hold.begin_move(TERM).await.unwrap());
    assert_eq!(hold.under_way().await.unwrap(), 2);
    let first = "UPDATE holdfast.replicas SET lease_ends = now() - interval '1 second' \
        WHERE started = (SELECT min(started) FROM holdfast.replicas)";
    scratch.run(first).await;
    assert_eq!(hold.under_way().await.unwrap(), 0);
    // Should it come back, it is told that it comes too late.
    let late = away.manifests.put(&repo("app"), manifest("m", &["1"]), true, Some(push)).await;
    assert!(matches!(late, Err(Error::Overtaken)), "{late:?}");
    let late = away.accounts.forget(Shelf::Users, "alice").await;
    assert!(matches!(late, Err(Error::Overtaken)), "{late:?}");
}

#[tokio::test]
async fn whoever_lets_changes_in_ends_the_move_that_wanted_none() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, mover, second) =
        (scratch.process(TERM).await, scratch.process(TERM).await, scratch.process(TERM).await);
    let hold = holds(&mover);
    assert!(hold.begin_move(TERM).await.unwrap());
    assert!(!holds(&second).begin_move(TERM).await.unwrap(), "one at a time");
    holds(&second).end_move().await.unwrap();
    assert!(hold.go_on(TERM).await.unwrap(), "that was not the second one's to end");
    holds(&a).release().await.unwrap();
    assert!(!hold.go_on(TERM).await.unwrap());
    assert_eq!(begin(&a, "+b:x").await.1, Begun::Stands);
}

#[tokio::test]
async fn an_administrator_holds_all_and_no_shorter_hold_ends_that() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, b) = (scratch.process(TERM).await, scratch.process(TERM).await);
    let soon = Duration::from_millis(50);
    holds(&a).hold(Some(TERM)).await.unwrap();
    holds(&b).hold(Some(soon)).await.unwrap();
    tokio::time::sleep(soon * 2).await;
    for process in [&a, &b] {
        assert!(holds(process).is_held().await.unwrap());
        assert_eq!(begin(process, "+b:x").await.1, Begun::Held);
    }
    holds(&b).release().await.unwrap();
    assert_eq!(begin(&a, "+b:x").await.1, Begun::Stands);
    // One that ends by itself, and one that does not.
    holds(&a).hold(Some(soon)).await.unwrap();
    tokio::time::sleep(soon * 2).await;
    assert!(!holds(&a).is_held().await.unwrap());
    holds(&a).hold(None).await.unwrap();
    holds(&a).hold(Some(soon)).await.unwrap();
    tokio::time::sleep(soon * 2).await;
    assert!(holds(&b).is_held().await.unwrap());
}
