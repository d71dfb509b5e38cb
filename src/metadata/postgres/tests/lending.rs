//! Who gets which connection.

use crate::metadata::error::Error;
use crate::metadata::postgres::columns::answer;
use crate::metadata::postgres::connections::{Connections, Limits, server};
use crate::metadata::postgres::database::TERM;
use crate::metadata::postgres::lending::{Ended, Lending, Times};
use crate::metadata::postgres::scratch::{self, Scratch};
use crate::metadata::postgres::statement::Statement;
use futures_util::future::join_all;
use sqlx::postgres::{PgConnection, PgPoolOptions};
use std::collections::HashSet;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// The backend that answers, after a moment in which others ask.
async fn backend(connections: &Connections, slow: bool) -> Result<i32, Error> {
    let asked = match slow {
        true => "SELECT pg_backend_pid() FROM pg_sleep(0.05)",
        false => "SELECT pg_backend_pid()",
    };
    answer(&connections.read(Statement::new(asked)).await?)
}

async fn crowd(connections: &Connections, count: usize) -> HashSet<i32> {
    let answers = join_all((0..count).map(|_| backend(connections, true))).await;
    answers.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn one_connection_serves_whoever_asks_one_after_another() {
    let Some(scratch) = scratch::database().await else { return };
    let database = scratch.open(TERM).await;
    let connections = &database.connections;
    let first = backend(connections, false).await.unwrap();
    for _ in 0..20 {
        assert_eq!(backend(connections, false).await.unwrap(), first);
        let refused = connections.read(Statement::new("SELECT 1 / 0")).await;
        assert!(matches!(refused, Err(Error::Fault(_))), "it leaves the connection as it was");
    }
}

#[tokio::test]
async fn there_are_no_more_connections_than_there_may_be() {
    let Some(scratch) = scratch::database().await else { return };
    let database = scratch.open(TERM).await;
    let most = scratch.config().connections_max as usize;
    let all = crowd(&database.connections, 3 * most).await;
    assert_eq!(all.len(), most, "all of them work, and no more");
    assert_eq!(database.connections.lending().count() as usize, most);
}

async fn terminate_others(scratch: &Scratch) {
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    scratch.run(others).await;
}

#[tokio::test]
async fn what_ends_one_connection_may_have_ended_all() {
    let Some(scratch) = scratch::database().await else { return };
    let database = scratch.open(TERM).await;
    let connections = &database.connections;
    let most = scratch.config().connections_max;
    crowd(connections, most as usize).await;
    assert_eq!(connections.lending().count(), most);
    terminate_others(&scratch).await;
    let before = database.statements().load(std::sync::atomic::Ordering::SeqCst);
    backend(connections, false).await.unwrap();
    let asked = database.statements().load(std::sync::atomic::Ordering::SeqCst) - before;
    assert_eq!((asked, connections.lending().count()), (2, 1), "one found it out for all");
}

/// A way to the server of a scratch database, on which nothing moves any more of what has begun before the last word.
async fn way(scratch: &Scratch) -> (u16, watch::Sender<()>) {
    let (listener, options) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), server(&scratch.url).unwrap());
    let (stop, stopped) = (watch::Sender::new(()), options.get_socket().cloned());
    let (port, word) = (listener.local_addr().unwrap().port(), stop.clone());
    let relay = async move {
        loop {
            let (mut here, _) = listener.accept().await.unwrap();
            let (mut word, folder) = (word.subscribe(), stopped.clone());
            let server = (options.get_host().to_owned(), options.get_port());
            let joined = async move {
                if let Some(folder) = folder {
                    let socket = folder.join(format!(".s.PGSQL.{}", server.1));
                    let mut there = UnixStream::connect(socket).await.unwrap();
                    tokio::io::copy_bidirectional(&mut here, &mut there).await.map(drop)
                } else {
                    let mut there = TcpStream::connect(server).await.unwrap();
                    tokio::io::copy_bidirectional(&mut here, &mut there).await.map(drop)
                }
            };
            spawn(async move {
                let mut joined = Box::pin(joined);
                tokio::select! {
                    _ = &mut joined => {}
                    // Both ends stay open, and nobody moves a byte.
                    _ = word.changed() => std::future::pending().await,
                }
            });
        }
    };
    spawn(relay);
    (port, stop)
}

#[allow(clippy::disallowed_methods)] // tasks that end with the test
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

#[tokio::test]
async fn a_server_that_falls_silent_costs_one_of_all_its_connections_a_wait() {
    let Some(scratch) = scratch::database().await else { return };
    let (port, stop) = way(&scratch).await;
    let second = Duration::from_secs(1);
    let limits = Limits {
        connections_max: 8,
        listening: 0,
        statement: second,
        grace: second / 4,
        acquire: 2 * second,
    };
    let url = format!("postgres://127.0.0.1:{port}/?{}", credentials(&scratch));
    let connections = Connections::new(server(&url).unwrap(), limits);
    assert_eq!(crowd(&connections, 8).await.len(), 8);
    stop.send_replace(());
    let silent = backend(&connections, false).await;
    assert!(matches!(silent, Err(Error::Unreachable(_))), "{silent:?}");
    let after = tokio::time::timeout(second, crowd(&connections, 8)).await.expect("at once");
    assert_eq!(after.len(), 8);
}

/// Who speaks to which database, as a query of a URL.
fn credentials(scratch: &Scratch) -> String {
    let database = server(&scratch.url).unwrap().get_database().unwrap().to_owned();
    let user = server(&scratch.url).unwrap().get_username().to_owned();
    let before_host = scratch.url.trim_start_matches("postgres://").split_once('@').map(|(who, _)| who);
    let password = before_host.and_then(|who| who.split_once(':')).map(|(_, password)| password);
    let password = password.map(|password| format!("&password={password}")).unwrap_or_default();
    format!("user={user}&dbname={database}{password}")
}

#[tokio::test]
async fn connections_are_asked_for_a_sign_of_life_and_do_not_grow_old() {
    let Some(scratch) = scratch::database().await else { return };
    let hour = Duration::from_hours(1);
    let times = Times { patience: Duration::from_secs(5), fresh: hour, unused: hour, old: hour };
    let lending = |times| {
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(server(&scratch.url).unwrap());
        Lending::new(pool, 2, times)
    };
    let pid = async |connection: &mut PgConnection| -> i32 {
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(connection).await.unwrap()
    };
    let one = async |lending: &Lending, ended: Ended| {
        let mut lent = lending.lend().await.unwrap();
        let pid = pid(lent.connection().unwrap()).await;
        lent.ended = ended;
        pid
    };
    let two = async |lending: &Lending, ended: Ended| {
        let first = one(lending, ended).await;
        first == one(lending, Ended::Well).await
    };
    assert!(two(&lending(times), Ended::Well).await);
    assert!(!two(&lending(times), Ended::Open).await, "nobody knows what was said");
    assert!(!two(&lending(times), Ended::Broken).await);
    assert!(!two(&lending(Times { old: Duration::ZERO, ..times }), Ended::Well).await, "it is too old");
    assert!(
        !two(&lending(Times { unused: Duration::ZERO, ..times }), Ended::Well).await,
        "unused for too long"
    );
    let asked = lending(Times { fresh: Duration::ZERO, ..times });
    let first = one(&asked, Ended::Well).await;
    assert_eq!(one(&asked, Ended::Well).await, first);
    terminate_others(&scratch).await;
    assert_ne!(one(&asked, Ended::Well).await, first, "it gives no sign of life");
    // Who was lent one before all were closed keeps it from the others.
    let two_at_once = lending(times);
    let (mut early, mut broken) = (two_at_once.lend().await.unwrap(), two_at_once.lend().await.unwrap());
    let early_pid = pid(early.connection().unwrap()).await;
    broken.ended = Ended::Broken;
    drop(broken);
    early.ended = Ended::Well;
    drop(early);
    assert_ne!(one(&two_at_once, Ended::Well).await, early_pid);
}
