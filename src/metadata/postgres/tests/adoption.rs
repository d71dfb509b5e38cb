//! A process that is no more, or was away for so long that others took it for that: who goes on with what it left, and
//! what it may still do when it comes back.

use crate::metadata::accounts::Accounts;
use crate::metadata::blobs::Blobs;
use crate::metadata::contract::{digest_of, manifest, repo};
use crate::metadata::error::Error;
use crate::metadata::intents::{Begun, IntentId, Intents, Settling};
use crate::metadata::manifests::Manifests;
use crate::metadata::postgres::database::{Database, TERM};
use crate::metadata::postgres::scratch::{self, Scratch};
use crate::metadata::postgres::tests::replicas::intent;
use crate::oci::page::Page;
use crate::record::{Record, Shelf};
use std::time::Duration;

const ALL: usize = 100;
const SOON: Duration = Duration::from_secs(10);

async fn intents(database: &Database) -> Vec<IntentId> {
    let pending = Intents::pending(database, ALL).await.unwrap();
    pending.into_iter().map(|(id, _)| id).collect()
}

async fn begin(database: &Database, words: &str) -> (IntentId, Begun) {
    let id = IntentId::random();
    (id, Intents::begin(database, id, &intent(words)).await.unwrap())
}

async fn settles(database: &Database, words: &str, what: Settling) -> Begun {
    database.begin_settling(IntentId::random(), &intent(words), what).await.unwrap()
}

/// Ends the lease of a process that still runs, as if it had been suspended.
async fn suspend(scratch: &Scratch, database: &Database) {
    let id = database.replica.id();
    scratch
        .run(&format!(
            "UPDATE holdfast.replicas SET lease_ends = now() - interval '1 second' WHERE id = '{id}'"
        ))
        .await;
}

#[tokio::test]
async fn what_a_dead_process_left_is_handed_to_one() {
    let Some(scratch) = scratch::database().await else { return };
    let term = Duration::from_millis(600);
    let (dead, b, c) = (scratch.open(term).await, scratch.open(TERM).await, scratch.open(TERM).await);
    let (id, begun) = begin(&dead, "+m:x,t:1").await;
    assert_eq!(begun, Begun::Stands);
    assert_eq!(Accounts::begin(&*dead, Shelf::Users, "alice").await.unwrap(), Begun::Stands);
    assert_eq!(begin(&b, "-m:x").await.1, Begun::InTheWay);
    assert_eq!(intents(&b).await, [], "it lives");
    drop(dead);
    assert_eq!(begin(&b, "-m:x").await.1, Begun::InTheWay, "dead, but nobody has settled it");
    let handed = async {
        while intents(&b).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, handed).await.unwrap();
    assert_eq!(Intents::pending(&*b, ALL).await.unwrap(), [(id, intent("+m:x,t:1"))]);
    assert_eq!(intents(&c).await, [], "one heir is enough");
    assert_eq!(begin(&c, "-m:x").await.1, Begun::InTheWay);
    assert_eq!(begin(&b, "-m:x").await.1, Begun::InTheWay, "the heir has not settled it");
    assert_eq!(begin(&b, "+m:x").await.1, Begun::Stands);
    assert_eq!(
        settles(&b, "-m:x", Settling::Handed).await,
        Begun::InTheWay,
        "what it has begun itself meanwhile"
    );
    assert_eq!(settles(&b, "+m:x,t:1", Settling::Handed).await, Begun::Stands);
    assert_eq!(settles(&b, "-m:x", Settling::Begun).await, Begun::Stands);
    scratch.run("DELETE FROM holdfast.intents WHERE NOT adopted").await;
    assert_eq!(Accounts::pending(&*c, ALL).await.unwrap(), []);
    assert_eq!(Accounts::pending(&*b, ALL).await.unwrap(), [(Shelf::Users, "alice".to_owned())]);
    b.end(id).await.unwrap();
    forget_user(&b, "alice").await.unwrap();
    assert_eq!(begin(&c, "-m:x").await.1, Begun::Stands);
    assert_eq!(Accounts::pending(&*b, ALL).await.unwrap(), []);
}

async fn forget_user(database: &Database, name: &str) -> Result<(), Error> {
    Accounts::forget(database, Shelf::Users, name).await
}

async fn keep_user(database: &Database, name: &str, version: u64) -> Result<(), Error> {
    database.keep(Shelf::Users, name, Record { version, json: "{}".into() }).await
}

#[tokio::test]
async fn whoever_was_overtaken_changes_nothing() {
    let Some(scratch) = scratch::database().await else { return };
    let (away, heir) = (scratch.open(TERM).await, scratch.open(TERM).await);
    let app = repo("app");
    let [put, link] = [begin(&away, "+m:m,t:1").await.0, begin(&away, "+b:x").await.0];
    suspend(&scratch, &away).await;
    assert_eq!(intents(&heir).await.len(), 2);

    let overtaken = away.put(&app, manifest("m", &["1"]), true, Some(put)).await;
    assert!(matches!(overtaken, Err(Error::Overtaken)), "{overtaken:?}");
    let overtaken = away.link(&app, &digest_of("x"), 1, Some(link)).await;
    assert!(matches!(overtaken, Err(Error::Overtaken)), "{overtaken:?}");
    assert!(away.tags(&app, &Page::first(ALL)).await.unwrap().is_none(), "nothing was recorded");
    for id in [put, link] {
        away.end(id).await.unwrap();
    }
    assert_eq!(intents(&heir).await.len(), 2, "they are not its own to end");

    // It goes on as somebody else.
    let old = away.replica.id();
    let (id, begun) = begin(&away, "+b:y").await;
    assert_eq!(begun, Begun::Stands);
    assert_ne!(away.replica.id(), old);
    away.link(&app, &digest_of("y"), 1, Some(id)).await.unwrap();
    assert_eq!(begin(&away, "+m:n,t:1").await.1, Begun::InTheWay, "its heir has that under its hands");
}

#[tokio::test]
async fn a_lease_that_nobody_missed_is_renewed() {
    let Some(scratch) = scratch::database().await else { return };
    let (away, other) = (scratch.open(TERM).await, scratch.open(TERM).await);
    let (id, _) = begin(&away, "+b:x").await;
    suspend(&scratch, &away).await;
    assert_eq!(begin(&away, "+b:y").await.1, Begun::Stands);
    assert_eq!(intents(&other).await, []);
    away.link(&repo("app"), &digest_of("x"), 1, Some(id)).await.unwrap();
}

#[tokio::test]
async fn a_record_that_others_settled_is_not_changed_behind_their_backs() {
    let Some(scratch) = scratch::database().await else { return };
    let (away, heir) = (scratch.open(TERM).await, scratch.open(TERM).await);
    keep_user(&away, "alice", 1).await.unwrap();
    assert_eq!(Accounts::begin(&*away, Shelf::Users, "alice").await.unwrap(), Begun::Stands);
    suspend(&scratch, &away).await;
    assert_eq!(Accounts::pending(&*heir, ALL).await.unwrap().len(), 1);
    forget_user(&heir, "alice").await.unwrap();
    assert_eq!(Accounts::begin(&*heir, Shelf::Users, "alice").await.unwrap(), Begun::Stands);
    keep_user(&heir, "alice", 5).await.unwrap();

    let overtaken = forget_user(&away, "alice").await;
    assert!(matches!(overtaken, Err(Error::Overtaken)), "{overtaken:?}");
    let kept = heir.find(Shelf::Users, "alice").await.unwrap().unwrap();
    assert_eq!(kept.version, 5);
    // Then it settles the name, with what storage holds.
    keep_user(&away, "alice", 5).await.unwrap();
    assert_eq!(Accounts::begin(&*heir, Shelf::Users, "alice").await.unwrap(), Begun::Stands);
    let overtaken = keep_user(&away, "alice", 6).await;
    assert!(matches!(overtaken, Err(Error::Overtaken)), "another one is changing it: {overtaken:?}");
}

#[tokio::test]
async fn a_change_that_a_dead_process_left_is_in_nobody_s_way() {
    let Some(scratch) = scratch::database().await else { return };
    let (away, other) = (scratch.open(TERM).await, scratch.open(TERM).await);
    assert_eq!(Accounts::begin(&*away, Shelf::Users, "alice").await.unwrap(), Begun::Stands);
    suspend(&scratch, &away).await;
    assert_eq!(Accounts::begin(&*other, Shelf::Users, "alice").await.unwrap(), Begun::Stands);
    keep_user(&other, "alice", 1).await.unwrap();
    assert_eq!(Accounts::pending(&*other, ALL).await.unwrap(), []);
}

#[tokio::test]
async fn a_change_that_was_handed_over_is_told_until_it_is_settled() {
    let Some(scratch) = scratch::database().await else { return };
    let (away, heir) = (scratch.open(TERM).await, scratch.open(TERM).await);
    let alice = (Shelf::Users, "alice".to_owned());
    assert_eq!(Accounts::begin(&*away, Shelf::Users, "alice").await.unwrap(), Begun::Stands);
    suspend(&scratch, &away).await;
    assert_eq!(Accounts::pending(&*heir, ALL).await.unwrap(), std::slice::from_ref(&alice));
    // It begins to settle the name, and then storage does not answer.
    assert_eq!(Accounts::begin(&*heir, Shelf::Users, "alice").await.unwrap(), Begun::Stands);
    assert_eq!(Accounts::pending(&*heir, ALL).await.unwrap(), [alice]);
    forget_user(&heir, "alice").await.unwrap();
    assert_eq!(Accounts::begin(&*heir, Shelf::Users, "alice").await.unwrap(), Begun::Stands);
    assert_eq!(Accounts::pending(&*heir, ALL).await.unwrap(), [], "its own is not for others to settle");
}

#[tokio::test]
async fn a_process_knows_when_others_may_take_it_for_dead() {
    let Some(scratch) = scratch::database().await else { return };
    let term = Duration::from_millis(900);
    let database = scratch.open(term).await;
    let (id, begun) = begin(&database, "+m:x").await;
    assert_eq!(begun, Begun::Stands);
    let asked = async |from: Duration| {
        tokio::time::sleep(from).await;
        database.holds(id)
    };
    assert!(asked(term * 2).await, "its lease is renewed");
    database.own.lending().close(2).await;
    assert!(!asked(term).await, "it was not renewed");
}

#[tokio::test]
async fn what_is_removed_under_a_lost_intent_stays() {
    let Some(scratch) = scratch::database().await else { return };
    let (away, other) = (scratch.open(TERM).await, scratch.open(TERM).await);
    let app = repo("app");
    other.put(&app, manifest("m", &["1"]), true, None).await.unwrap();
    other.link(&app, &digest_of("b"), 1, None).await.unwrap();
    let (id, begun) = begin(&away, "-m:m,t:1").await;
    assert!(begun == Begun::Stands && away.holds(id) && !other.holds(id));
    suspend(&scratch, &away).await;
    assert_eq!(intents(&other).await, [id]);
    assert!(other.holds(id), "it was handed over");
    let tag = "1".parse().unwrap();
    let answers = [
        away.untag(&app, &tag, Some(id)).await.err(),
        away.unlink(&app, &digest_of("b"), Some(id)).await.err(),
        Manifests::forget(&*away, &app, &digest_of("m"), Some(id)).await.err(),
    ];
    assert!(answers.iter().all(|answer| matches!(answer, Some(Error::Overtaken))), "{answers:?}");
    away.replica.beat().await.unwrap();
    assert!(!away.holds(id), "it goes on, but not with what it had begun");
    assert!(other.unlink(&app, &digest_of("b"), Some(id)).await.unwrap());
    assert!(other.untag(&app, &tag, Some(id)).await.unwrap());
    assert!(Manifests::forget(&*other, &app, &digest_of("m"), Some(id)).await.unwrap().is_some());
    other.end(id).await.unwrap();
    assert!(!other.holds(id));
}

#[tokio::test]
async fn what_a_process_has_given_up_is_handed_to_it() {
    let Some(scratch) = scratch::database().await else { return };
    let database = scratch.open(TERM).await;
    let (id, _) = begin(&database, "+b:x").await;
    scratch.run("UPDATE holdfast.intents SET begun = now() - interval '1 hour'").await;
    assert_eq!(intents(&database).await, [], "it is at it");
    database.leave(id);
    assert!(!database.holds(id));
    assert_eq!(intents(&database).await, [id]);
    assert!(database.holds(id));
}

#[tokio::test]
async fn a_process_that_was_away_asks_what_is_still_its_own() {
    let Some(scratch) = scratch::database().await else { return };
    let (away, heir) = (scratch.open(TERM).await, scratch.open(TERM).await);
    let (id, _) = begin(&away, "+b:x").await;
    suspend(&scratch, &away).await;
    assert!(away.regain(id).await.unwrap(), "nobody has missed it");
    suspend(&scratch, &away).await;
    assert_eq!(intents(&heir).await, [id]);
    assert!(!away.regain(id).await.unwrap() && !away.holds(id));
    assert!(heir.regain(id).await.unwrap());
    heir.end(id).await.unwrap();
    assert!(!heir.regain(id).await.unwrap());
}
