//! The connections to the server, and how a statement is asked: within a limit of time on both sides, and again where
//! that is safe. Knows no table.

use crate::metadata::error::{Error, Result};
use crate::metadata::postgres::faults;
use crate::metadata::postgres::lending::{Ended, Lending, Times};
use crate::metadata::postgres::statement::Statement;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// How often a statement is tried that the server has undone.
const TRIES: u32 = 8;

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
    /// So many of them listen, and are asked nothing.
    pub listening: u32,
    /// How long a statement may take.
    pub statement: Duration,
    /// By so much we wait longer for its answer.
    pub grace: Duration,
    /// How long to wait for a connection.
    pub acquire: Duration,
}

/// Connections to the server.
pub struct Connections {
    lending: Lending,
    // How long to wait for an answer.
    answer: Duration,
    statements: Arc<AtomicU64>,
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
            // A listener that hangs when it is given back takes nobody's place.
            .max_connections(limits.connections_max + limits.listening)
            .acquire_timeout(limits.acquire)
            .after_connect(move |connection, _| {
                let settings = AssertSqlSafe(settings.clone());
                Box::pin(async move { connection.execute(settings).await.map(|_| ()) })
            })
            .connect_lazy_with(server);
        let at_once = limits.connections_max.saturating_sub(limits.listening);
        let lending = Lending::new(pool, at_once, Times::new(limits.acquire));
        Self { lending, answer: limits.statement + limits.grace, statements: Arc::default() }
    }

    /// A connection of its own for the one who listens.
    pub async fn listener(&self) -> sqlx::Result<PgListener> {
        self.lending.listener().await
    }

    /// How they are lent.
    #[cfg(test)]
    pub fn lending(&self) -> &Lending {
        &self.lending
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
        let mut lent = self.lending.lend().await?;
        self.statements.fetch_add(1, Ordering::Relaxed);
        let asked = query.fetch_all(lent.connection()?);
        let answer = tokio::time::timeout(self.answer, asked)
            .await
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        lent.ended = match &answer {
            Ok(_) => Ended::Well,
            Err(error) if faults::is_broken(error) => Ended::Broken,
            Err(error) if error.as_database_error().is_some() => Ended::Well,
            Err(_) => Ended::Open,
        };
        answer
    }
}
