//! Opens the metadata that the configuration names. The only file that knows all backends.

use crate::metadata::accounts::Accounts;
use crate::metadata::audit::Audit;
use crate::metadata::blobs::Blobs;
use crate::metadata::completeness::Completeness;
use crate::metadata::config::{Config, Engine};
use crate::metadata::embedded;
use crate::metadata::error::Result;
use crate::metadata::holds::Holds;
use crate::metadata::intents::Intents;
use crate::metadata::leases::Leases;
use crate::metadata::manifests::Manifests;
use crate::metadata::news::Newspaper;
use crate::metadata::postgres;
use crate::metadata::signing_keys::SigningKeys;
use crate::metadata::uploads::Uploads;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use uuid::Uuid;

/// The parts of open metadata. `metadata.uploads.extend(..)`.
#[derive(Clone)]
pub struct Metadata {
    /// Manifests, tags, referrers, repositories.
    pub manifests: Arc<dyn Manifests>,
    /// Blobs.
    pub blobs: Arc<dyn Blobs>,
    /// Open uploads.
    pub uploads: Arc<dyn Uploads>,
    /// Names about to change.
    pub intents: Arc<dyn Intents>,
    /// Records of accounts.
    pub accounts: Arc<dyn Accounts>,
    /// Keys that sign access tokens.
    pub signing_keys: Arc<dyn SigningKeys>,
    /// The audit trail.
    pub audit: Arc<dyn Audit>,
    /// Who does the work that one process does for all.
    pub leases: Arc<dyn Leases>,
    /// What other processes have changed.
    pub newspaper: Arc<dyn Newspaper>,
    /// Whether it tells all that storage holds.
    pub completeness: Arc<dyn Completeness>,
    /// What else is known of a database that several processes may share. `None`: this process has it for itself.
    pub shared: Option<Shared>,
}

/// A database that several processes may share.
#[derive(Clone)]
pub struct Shared {
    /// Tells it from others, for whoever must know which one belongs to a storage.
    pub id: Uuid,
    /// How long a process may be silent before others take it for dead.
    pub term: Duration,
    /// How many statements this process has sent to it for callers.
    pub statements: Arc<AtomicU64>,
    /// Whether its processes are held.
    pub holds: Arc<dyn Holds>,
}

/// Metadata, and what had to be done to open it.
pub struct Opened {
    /// The metadata.
    pub metadata: Metadata,
    /// Where a database went that did not open. What is open now is a new one.
    pub moved_aside: Option<PathBuf>,
}

/// The folder of the metadata; `data` is where it stands if the configuration names no place.
pub fn folder(config: &Config, data: &Path) -> PathBuf {
    match config.path.as_str() {
        "" => data.join("metadata"),
        path => path.into(),
    }
}

/// What keeps the metadata, and where, in words. Of a URL it tells neither a password nor options.
pub fn named(config: &Config, data: &Path) -> String {
    if !config.postgres.is_on() {
        let engine = match config.engine {
            Engine::Sled => "sled",
            Engine::Redb => "redb",
        };
        return format!("{engine} in {}", folder(config, data).display());
    }
    postgres::connections::server(config.postgres.url.expose()).map_or_else(
        |_| "PostgreSQL at a URL that does not read".to_owned(),
        |server| {
            let (host, port, user) = (server.get_host(), server.get_port(), server.get_username());
            let database = server.get_database().unwrap_or(user);
            format!("PostgreSQL at {host}:{port}, database {database} as {user}")
        },
    )
}

/// Opens metadata. `unix_secs` names a database that has to be moved aside.
pub async fn open(config: &Config, folder: &Path, unix_secs: u64) -> Result<Opened> {
    if config.postgres.is_on() {
        let term = Duration::from_secs(config.postgres.lease_secs);
        let database = Arc::new(postgres::database::Database::open(&config.postgres, term).await?);
        return Ok(Opened { metadata: shared(&database), moved_aside: None });
    }
    let (database, moved_aside) = embedded::database::Database::open(config.engine, folder, unix_secs)?;
    Ok(Opened { metadata: parts(&Arc::new(database), None), moved_aside })
}

/// All parts of a database that several processes may share.
pub fn shared(database: &Arc<postgres::database::Database>) -> Metadata {
    let shared = Shared {
        id: database.id(),
        term: database.term(),
        statements: database.statements(),
        holds: Arc::clone(database) as Arc<dyn Holds>,
    };
    parts(database, Some(shared))
}

/// All parts, of one database.
pub fn parts<D>(database: &Arc<D>, shared: Option<Shared>) -> Metadata
where
    D: Manifests + Blobs + Uploads + Intents + Accounts + SigningKeys + Audit + Leases + Newspaper,
    D: Completeness + 'static,
{
    Metadata {
        manifests: Arc::clone(database) as Arc<dyn Manifests>,
        blobs: Arc::clone(database) as Arc<dyn Blobs>,
        uploads: Arc::clone(database) as Arc<dyn Uploads>,
        intents: Arc::clone(database) as Arc<dyn Intents>,
        accounts: Arc::clone(database) as Arc<dyn Accounts>,
        signing_keys: Arc::clone(database) as Arc<dyn SigningKeys>,
        audit: Arc::clone(database) as Arc<dyn Audit>,
        leases: Arc::clone(database) as Arc<dyn Leases>,
        newspaper: Arc::clone(database) as Arc<dyn Newspaper>,
        completeness: Arc::clone(database) as Arc<dyn Completeness>,
        shared,
    }
}
