//! What one process changes, the others are told.

use crate::metadata::accounts::Accounts;
use crate::metadata::news::{News, Newspaper};
use crate::metadata::postgres::database::{Database, TERM};
use crate::metadata::postgres::scratch;
use crate::oci::page::Page;
use crate::record::{Record, Shelf};
use std::time::Duration;

async fn keep(database: &Database, name: &str) {
    let record = Record { version: 1, json: "{}".into() };
    database.keep(Shelf::Users, name, record).await.unwrap();
}

async fn next(database: &Database) -> News {
    let told = async {
        loop {
            match database.next().await.unwrap() {
                News::Nothing => {}
                news => return news,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(1), told).await.expect("within a second")
}

/// For longer than it waits.
async fn is_quiet(database: &Database) -> bool {
    database.next().await.unwrap() == News::Nothing && database.next().await.unwrap() == News::Nothing
}

fn users<const N: usize>(names: [&str; N]) -> News {
    News::Records(names.map(|name| (Shelf::Users, name.to_owned())).to_vec())
}

#[tokio::test]
async fn changes_are_told_both_ways_and_once() {
    let Some(scratch) = scratch::database().await else { return };
    let early = scratch.open(TERM).await;
    keep(&early, "before").await;
    let (a, b) = (scratch.open(TERM).await, scratch.open(TERM).await);
    keep(&b, "by b").await;
    let (told, ()) = tokio::join!(next(&b), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        keep(&a, "by a").await;
    });
    assert_eq!(told, users(["by a"]), "not its own, and nothing of before");
    assert_eq!(next(&a).await, users(["by b"]));
    assert!(is_quiet(&b).await);
    keep(&a, "x").await;
    keep(&a, "y").await;
    keep(&a, "x").await;
    a.forget(Shelf::Users, "y").await.unwrap();
    a.forget(Shelf::Users, "never there").await.unwrap();
    assert_eq!(next(&b).await, users(["x", "y"]));
}

#[tokio::test]
async fn a_line_that_is_cut_loses_nothing() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, b) = (scratch.open(TERM).await, scratch.open(TERM).await);
    assert!(is_quiet(&b).await);
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    scratch.run(cut).await;
    keep(&a, "x").await;
    assert_eq!(next(&b).await, users(["x"]));
    keep(&a, "y").await;
    assert_eq!(next(&b).await, users(["y"]));
}

#[tokio::test]
async fn what_was_missed_may_be_anything() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, b) = (scratch.open(TERM).await, scratch.open(TERM).await);
    scratch.run("UPDATE holdfast.registry SET last_change = 10239").await;
    keep(&a, "trims").await;
    assert_eq!(next(&b).await, News::Anything);
    keep(&a, "x").await;
    assert_eq!(next(&b).await, users(["x"]));
    // A backup was put back.
    scratch.run("UPDATE holdfast.registry SET last_change = 7, changes_trimmed = 0").await;
    assert_eq!(next(&b).await, News::Anything);
}

#[tokio::test]
async fn what_a_newer_program_keeps_is_passed_over() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, b, dead) = (scratch.open(TERM).await, scratch.open(TERM).await, scratch.open(TERM).await);
    scratch.run("SELECT holdfast.tell_change('robots', 'r2', gen_random_uuid())").await;
    keep(&a, "x").await;
    assert_eq!(next(&b).await, users(["x"]));
    let id = dead.replica.id();
    for record in ["'robots', 'r2'", "'users', 'alice'"] {
        scratch.run(&format!("SELECT holdfast.begin_record({record}, '{id}')")).await;
    }
    let ended = "UPDATE holdfast.replicas SET lease_ends = now() - interval '1 second' WHERE id =";
    scratch.run(&format!("{ended} '{id}'")).await;
    for _ in 0..2 {
        assert_eq!(Accounts::pending(&*b, 9).await.unwrap(), [(Shelf::Users, "alice".to_owned())]);
    }
    let left = "SELECT count(*) FROM holdfast.record_intents JOIN holdfast.replicas ON id = replica \
        WHERE shelf = 'robots' AND NOT adopted AND lease_ends < now()";
    assert_eq!(scratch.number(left).await, 1, "it is for whoever knows what it is");
    dead.replica.beat().await.unwrap();
    assert_ne!(dead.replica.id(), id, "it was taken for dead");
}

#[tokio::test]
async fn requests_that_wait_do_not_keep_news_waiting() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, b) = (scratch.open(TERM).await, scratch.open(TERM).await);
    let _all = b.connections.lending().all(scratch.config().connections_max).await;
    keep(&a, "x").await;
    assert_eq!(next(&b).await, users(["x"]));
    let told = async {
        assert_eq!(b.look_up(Shelf::Users, "x").await.unwrap().unwrap().version, 1);
        assert_eq!(b.leaf_through(Shelf::Users, &Page::first(9)).await.unwrap().entries.len(), 1);
    };
    tokio::time::timeout(Duration::from_secs(1), told).await.expect("within a second");
}
