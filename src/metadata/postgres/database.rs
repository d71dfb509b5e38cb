//! Open metadata in PostgreSQL. What its statements mean stands in the files that are named like the traits.

use crate::metadata::error::Result;
use crate::metadata::intents::IntentId;
use crate::metadata::postgres::columns::{column, damaged};
use crate::metadata::postgres::config::Config;
use crate::metadata::postgres::connections::{Connections, Limits, server};
use crate::metadata::postgres::migrations;
use crate::metadata::postgres::paper::Paper;
use crate::metadata::postgres::replica::Replica;
use crate::metadata::postgres::statement::Statement;
use crate::record::Shelf;
use sqlx::postgres::PgRow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

/// How long a replica may be silent before others take it for dead, in tests that do not wait for it.
#[cfg(test)]
pub const TERM: Duration = Duration::from_secs(10);

/// How long to wait for a connection: a server that is restarted is back by then.
const ACQUIRE: Duration = Duration::from_secs(5);

/// How much longer than a statement may take an intent has stood that nobody in its process knows of.
const STRAY_SECS: u64 = 60;
/// By so much we wait for an answer longer than the server may take.
const GRACE: Duration = Duration::from_secs(2);

/// Open metadata in PostgreSQL.
pub struct Database {
    pub(in crate::metadata::postgres) connections: Connections,
    // For what must go on while requests wait for each other: the lease, and the news.
    pub(in crate::metadata::postgres) own: Arc<Connections>,
    pub(in crate::metadata::postgres) replica: Arc<Replica>,
    /// Tells this process from others, for as long as it runs.
    pub(in crate::metadata::postgres) process: Uuid,
    /// Records that this process is changing, and as whom it began.
    pub(in crate::metadata::postgres) changing: Mutex<HashMap<(Shelf, String), Uuid>>,
    /// Intents that this process holds, and as whom.
    pub(in crate::metadata::postgres) holding: Mutex<HashMap<IntentId, Uuid>>,
    pub(in crate::metadata::postgres) paper: tokio::sync::Mutex<Paper>,
    /// Up to where somebody has taken up the news.
    pub(in crate::metadata::postgres) taken_up: AtomicI64,
    /// How old an intent is, in seconds, whose beginning must have been answered long ago.
    pub(in crate::metadata::postgres) stray_secs: u64,
    id: Uuid,
}

impl Database {
    /// Opens the metadata, makes its tables what this program knows, and registers this process, with a lease of `term`.
    pub async fn open(config: &Config, term: Duration) -> Result<Self> {
        let server = server(config.url.expose())?;
        migrations::run(&server).await?;
        let statement = Duration::from_secs(config.statement_secs);
        let limits = Limits {
            connections_max: config.connections_max,
            listening: 0,
            statement,
            grace: GRACE,
            acquire: ACQUIRE,
        };
        let connections = Connections::new(server.clone(), limits);
        // After one beat that was not answered there is time for another within the lease.
        let own = Limits {
            connections_max: 3,
            listening: 1,
            statement: statement.min(term / 3),
            grace: GRACE.min(term / 20),
            acquire: ACQUIRE.min(term / 3),
        };
        let own = Arc::new(Connections::new(server, own));
        let about = Statement::new("SELECT id, last_change FROM holdfast.registry");
        let about = connections.read(about).await?;
        let about = about.first().ok_or_else(|| damaged("singleton"))?;
        let last_change = column(about, "last_change")?;
        Ok(Self {
            replica: Replica::register(Arc::clone(&own), term).await?,
            connections,
            own,
            process: Uuid::new_v4(),
            changing: Mutex::default(),
            holding: Mutex::default(),
            paper: tokio::sync::Mutex::new(Paper::from(last_change)),
            taken_up: AtomicI64::new(last_change),
            stray_secs: config.statement_secs.saturating_add(STRAY_SECS),
            id: column(about, "id")?,
        })
    }

    /// Tells this database from others.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// How long a process of it may be silent before others take it for dead.
    pub fn term(&self) -> Duration {
        self.replica.term()
    }

    /// How many statements were sent for callers.
    pub fn statements(&self) -> Arc<AtomicU64> {
        self.connections.statements()
    }

    /// Asks what changes nothing.
    pub async fn read(&self, statement: Statement) -> Result<Vec<PgRow>> {
        self.connections.read(statement).await
    }

    /// Asks what changes something.
    pub async fn write(&self, statement: Statement) -> Result<Vec<PgRow>> {
        self.connections.write(statement).await
    }
}
