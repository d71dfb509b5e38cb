//! Who gets which connection.

use crate::metadata::postgres::columns::answer;
use crate::metadata::postgres::database::{Database, TERM};
use crate::metadata::postgres::scratch;
use crate::metadata::postgres::statement::Statement;
use futures_util::future::join_all;
use std::collections::HashSet;

/// The backend that answers, after a moment in which others ask.
async fn backend(database: &Database, slow: bool) -> i32 {
    let asked = match slow {
        true => "SELECT pg_backend_pid() FROM pg_sleep(0.05)",
        false => "SELECT pg_backend_pid()",
    };
    answer(&database.read(Statement::new(asked)).await.unwrap()).unwrap()
}

#[tokio::test]
async fn one_connection_serves_whoever_asks_one_after_another() {
    let Some(scratch) = scratch::database().await else { return };
    let database = scratch.open(TERM).await;
    let mut backends = HashSet::new();
    for _ in 0..20 {
        backends.insert(backend(&database, false).await);
    }
    assert_eq!(backends.len(), 1);
    assert_eq!(database.connections.pool().num_idle(), 0, "it does not go back to the pool each time");
}

#[tokio::test]
async fn there_are_no_more_connections_than_there_may_be() {
    let Some(scratch) = scratch::database().await else { return };
    let database = scratch.open(TERM).await;
    let most = scratch.config().connections_max as usize;
    let crowd = join_all((0..3 * most).map(|_| backend(&database, true))).await;
    assert_eq!(crowd.into_iter().collect::<HashSet<_>>().len(), most, "all of them work, and no more");
    assert_eq!(database.connections.pool().size() as usize, most);
}

#[tokio::test]
async fn whatever_cuts_off_one_connection_may_have_cut_off_all() {
    let Some(scratch) = scratch::database().await else { return };
    let database = scratch.open(TERM).await;
    join_all((0..8).map(|_| backend(&database, true))).await;
    scratch
        .run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
    backend(&database, false).await;
    let answers = join_all((0..8).map(|_| backend(&database, true))).await;
    assert!(answers.into_iter().collect::<HashSet<_>>().len() > 1);
}
