//! The server goes away, comes back, is slow, or says no.

use crate::metadata::blobs::Blobs;
use crate::metadata::completeness::Completeness;
use crate::metadata::contract::{digest_of, manifest, repo, tag};
use crate::metadata::error::{Error, Result};
use crate::metadata::manifests::Manifests;
use crate::metadata::postgres::columns::answer;
use crate::metadata::postgres::config::Config;
use crate::metadata::postgres::database::{Database, TERM};
use crate::metadata::postgres::scratch::{self, Server};
use crate::metadata::postgres::statement::Statement;
use crate::oci::reference::Reference;
use sqlx::Executor;

#[tokio::test]
async fn a_server_that_was_away_is_found_again() {
    let Some(server) = Server::start() else {
        return scratch::skipped("initdb is not here, or does not work");
    };
    let scratch = scratch::database_on(&server.url("postgres")).await;
    let database = scratch.open(TERM).await;
    let app = repo("app");
    let (one, latest) = (Reference::Digest(digest_of("m")), Reference::Tag(tag("latest")));
    database.put(&app, manifest("m", &["latest"]), true, None).await.unwrap();

    server.control(&["-m", "fast", "restart"]);
    for reference in [&one, &latest] {
        assert!(database.resolve(&app, reference).await.unwrap().is_some(), "a read is asked once more");
    }
    server.control(&["-m", "immediate", "stop"]);
    let away = database.resolve(&app, &one).await;
    assert!(matches!(away, Err(Error::Unreachable(_))), "{away:?}");
    let away = database.link(&app, &digest_of("b"), 1, None).await;
    assert!(matches!(away, Err(Error::Unreachable(_))), "{away:?}");
    server.control(&["start"]);
    assert!(database.resolve(&app, &latest).await.unwrap().is_some());
    database.link(&app, &digest_of("b"), 1, None).await.unwrap();
    assert_eq!(database.size(&app, &digest_of("b")).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_statement_that_waits_for_too_long_is_given_up() {
    let Some(scratch) = scratch::database().await else { return };
    let config = Config { statement_secs: 1, ..scratch.config() };
    let database = Database::open(&config, TERM).await.unwrap();
    let mut other = scratch.connect().await;
    other.execute("BEGIN; LOCK TABLE holdfast.registry IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let slow = database.is_complete().await;
    assert!(matches!(slow, Err(Error::Unreachable(_))), "{slow:?}");
    other.execute("ROLLBACK").await.unwrap();
    assert!(!database.is_complete().await.unwrap());
}

#[tokio::test]
async fn what_the_server_has_undone_is_tried_again() {
    let Some(scratch) = scratch::database().await else { return };
    let database = scratch.open(TERM).await;
    scratch
        .run(
            "CREATE SEQUENCE tries; CREATE FUNCTION undone(state text, times bigint) RETURNS bigint \
             LANGUAGE plpgsql AS $$ BEGIN IF nextval('tries') <= times THEN \
             RAISE EXCEPTION 'made up' USING ERRCODE = state; END IF; RETURN currval('tries'); END $$",
        )
        .await;
    let ask = async |state: &str, times: i64| -> Result<i64> {
        scratch.run("ALTER SEQUENCE tries RESTART").await;
        let asked = Statement::new("SELECT undone($1, $2)").bind(state).bind(times);
        answer(&database.write(asked).await?)
    };
    assert_eq!(ask("40001", 3).await.unwrap(), 4, "not serialisable");
    assert_eq!(ask("40P01", 3).await.unwrap(), 4, "a deadlock");
    for (state, tries) in [("40001", 8), ("57014", 1), ("53300", 1), ("08006", 1), ("57P03", 1)] {
        let given_up = ask(state, 100).await;
        assert!(matches!(given_up, Err(Error::Unreachable(_))), "{state}: {given_up:?}");
        let next = answer::<i64>(&database.read(Statement::new("SELECT nextval('tries')")).await.unwrap());
        assert_eq!(next.unwrap(), tries + 1, "{state}");
    }
    let full = ask("53100", 100).await;
    assert!(matches!(full, Err(Error::Full)), "{full:?}");
    let fault = ask("42P01", 100).await;
    assert!(matches!(fault, Err(Error::Fault(_))), "{fault:?}");
}

#[tokio::test]
async fn who_gives_up_waiting_takes_no_connection_along() {
    let Some(scratch) = scratch::database().await else { return };
    let database = scratch.open(TERM).await;
    for _ in 0..3 * scratch.config().connections_max {
        let sleep = database.read(Statement::new("SELECT pg_sleep(3)"));
        let waited = tokio::time::timeout(std::time::Duration::from_millis(30), sleep).await;
        assert!(waited.is_err());
    }
    assert!(!database.is_complete().await.unwrap());
}

#[tokio::test]
async fn an_error_tells_no_password() {
    for url in ["postgres://me:hush@localhost:port/x", "postgres://me:hush@%2Fnowhere/x"] {
        let config = Config { url: crate::secret::Secret::new(url), ..Config::default() };
        let Err(error) = Database::open(&config, TERM).await else { panic!("nobody is there") };
        assert!(!format!("{error} {error:?} {config:?}").contains("hush"), "{error}");
    }
}
