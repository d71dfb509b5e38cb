//! Opens the metadata that the configuration names. The only file that knows all backends.

use crate::metadata::accounts::Accounts;
use crate::metadata::audit::Audit;
use crate::metadata::blobs::Blobs;
use crate::metadata::completeness::Completeness;
use crate::metadata::config::Config;
use crate::metadata::embedded::database::Database;
use crate::metadata::error::Result;
use crate::metadata::intents::Intents;
use crate::metadata::leases::Leases;
use crate::metadata::manifests::Manifests;
use crate::metadata::news::Newspaper;
use crate::metadata::signing_keys::SigningKeys;
use crate::metadata::uploads::Uploads;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// Opens metadata. `unix_secs` names a database that has to be moved aside.
#[allow(clippy::unused_async)] // the shared one waits for its server
pub async fn open(config: &Config, folder: &Path, unix_secs: u64) -> Result<Opened> {
    let (database, moved_aside) = Database::open(config.engine, folder, unix_secs)?;
    let database = Arc::new(database);
    Ok(Opened {
        metadata: Metadata {
            manifests: Arc::clone(&database) as Arc<dyn Manifests>,
            blobs: Arc::clone(&database) as Arc<dyn Blobs>,
            uploads: Arc::clone(&database) as Arc<dyn Uploads>,
            intents: Arc::clone(&database) as Arc<dyn Intents>,
            accounts: Arc::clone(&database) as Arc<dyn Accounts>,
            signing_keys: Arc::clone(&database) as Arc<dyn SigningKeys>,
            audit: Arc::clone(&database) as Arc<dyn Audit>,
            leases: Arc::clone(&database) as Arc<dyn Leases>,
            newspaper: Arc::clone(&database) as Arc<dyn Newspaper>,
            completeness: database,
        },
        moved_aside,
    })
}
