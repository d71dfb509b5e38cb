//! The connections to the server, and how a statement is asked: within a limit of time on both sides, and again where
//! that is safe. Knows no table.

use crate::metadata::error::{Error, Result};
use crate::metadata::postgres::faults;
use crate::metadata::postgres::statement::Statement;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Postgres};
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// How often a statement is tried that the server has undone.
const TRIES: u32 = 8;
/// A connection that was not used for so long is asked for a sign of life first.
const FRESH: Duration = Duration::from_secs(5);

/// Where the server is, and as whom to speak to it. The error does not tell the URL.
pub fn server(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| Error::Fault(format!("`metadata.postgres.url` does not read: {error}")))?;
    // Statements are never logged: a slow one would show up with its text.
    Ok(options.application_name("holdfast").disable_statement_logging())
}

/// What connections may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// At once.
    pub connections_max: u32,
    /// How long a statement may take.
    pub statement: Duration,
    /// By so much we wait longer for its answer.
    pub grace: Duration,
    /// How long to wait for a connection.
    pub acquire: Duration,
}

/// A pool of connections.
pub struct Connections {
    pool: PgPool,
    // How long to wait for an answer.
    answer: Duration,
    statements: Arc<AtomicU64>,
}

/// A connection that is closed unless its conversation came to an end: what was cut off in the middle is of no use to the
/// next one.
struct Lent {
    connection: PoolConnection<Postgres>,
    ended: bool,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

impl Connections {
    /// Connections that are made when they are needed.
    pub fn new(server: PgConnectOptions, limits: Limits) -> Self {
        let millis = limits.statement.as_millis();
        let settings = format!(
            "SET statement_timeout = {millis}; SET lock_timeout = {millis}; \
             SET idle_in_transaction_session_timeout = {millis}; \
             SET default_transaction_isolation = 'read committed'"
        );
        let pool = PgPoolOptions::new()
            .max_connections(limits.connections_max)
            .acquire_timeout(limits.acquire)
            .test_before_acquire(false)
            .before_acquire(|connection, idle| {
                Box::pin(async move {
                    if idle.idle_for > FRESH {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(move |connection, _| {
                let settings = AssertSqlSafe(settings.clone());
                Box::pin(async move { connection.execute(settings).await.map(|_| ()) })
            })
            .connect_lazy_with(server);
        Self { pool, answer: limits.statement + limits.grace, statements: Arc::default() }
    }

    /// The pool itself, for whoever listens.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// How many statements were sent.
    pub fn statements(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.statements)
    }

    /// Asks what changes nothing: also once more if the connection breaks, as after a restart of the server.
    pub async fn read(&self, statement: Statement) -> Result<Vec<PgRow>> {
        match self.ask(&statement).await {
            Err(error) if faults::is_cut(&error) => self.ask(&statement).await.map_err(faults::told),
            answer => answer.map_err(faults::told),
        }
    }

    /// Asks what changes something. Where the connection breaks nobody knows whether it did.
    pub async fn write(&self, statement: Statement) -> Result<Vec<PgRow>> {
        self.ask(&statement).await.map_err(faults::told)
    }

    /// Asks until the server has not undone it.
    async fn ask(&self, statement: &Statement) -> sqlx::Result<Vec<PgRow>> {
        let mut tried = 1;
        loop {
            match self.once(statement).await {
                Err(error) if tried < TRIES && faults::is_undone(&error) => {
                    // By chance, so that two who were in each other's way are not so again.
                    let millis = Uuid::new_v4().as_u128() % (5 << tried);
                    tokio::time::sleep(Duration::from_millis(millis as u64)).await;
                    tried += 1;
                }
                answer => return answer,
            }
        }
    }

    async fn once(&self, statement: &Statement) -> sqlx::Result<Vec<PgRow>> {
        let query = statement.query().map_err(|error| sqlx::Error::InvalidArgument(error.to_string()))?;
        let mut lent = Lent { connection: self.pool.acquire().await?, ended: false };
        self.statements.fetch_add(1, Ordering::Relaxed);
        let asked = query.fetch_all(&mut *lent.connection);
        let answer = tokio::time::timeout(self.answer, asked)
            .await
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        // An error of the server ends a conversation well, unless it ends the connection with it.
        lent.ended = match &answer {
            Ok(_) => true,
            Err(error) => error.as_database_error().is_some() && !faults::is_undone(error),
        };
        answer
    }
}
