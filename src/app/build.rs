//! Puts the parts together that the configuration names. The only place that knows all of them.

use crate::app::claim;
use crate::app::config::settings::Settings;
use crate::app::lock::{self, DataLock};
use crate::clock::{Clock, SystemClock};
use crate::registry::parts::Registry;
use crate::{metadata, storage};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the parts could not be put together. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data folder cannot be used.
    #[error("the data folder {0} cannot be used: {1}")]
    Data(PathBuf, std::io::Error),
    /// Another process has it.
    #[error(
        "another holdfast is running on the data folder {0}; stop it first, or give this one its own with --data"
    )]
    InUse(PathBuf),
    /// Storage cannot be used.
    #[error("the storage cannot be used: {0}")]
    Storage(#[from] storage::error::Error),
    /// It is not ours to use.
    #[error(transparent)]
    Claim(#[from] claim::Error),
    /// Metadata cannot be used.
    #[error("the metadata cannot be used: {0}")]
    Metadata(#[from] metadata::error::Error),
}

/// A registry, and the lock on its data folder.
pub struct Built {
    /// The registry.
    pub registry: Arc<Registry>,
    /// Where a database went that did not open.
    pub moved_aside: Option<PathBuf>,
    /// Held for as long as the registry lives.
    pub lock: DataLock,
}

/// Builds a registry on the configured folder of metadata, or with new metadata in another one.
pub async fn build(settings: &Settings, new_metadata: Option<&Path>) -> Result<Built, Error> {
    let data = Path::new(&settings.data);
    let lock = lock::lock(data).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => Error::InUse(data.into()),
        _ => Error::Data(data.into(), error),
    })?;
    let clock = Arc::new(SystemClock);
    let storage = storage::open::open(&settings.storage, data).await?;
    let usual = metadata::open::folder(&settings.metadata, data);
    let folder = new_metadata.unwrap_or(&usual);
    if new_metadata.is_some() && folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|error| Error::Data(folder.into(), error))?;
    }
    let opened = metadata::open::open(&settings.metadata, folder, clock.unix_secs()).await?;
    if new_metadata.is_some() && usual.is_dir() {
        claim::inherit(&storage, &usual, folder).await?;
    }
    let registry = Registry::new(storage, opened.metadata, clock, settings.registry.clone());
    claim::take(&registry, folder).await?;
    Ok(Built { registry: Arc::new(registry), moved_aside: opened.moved_aside, lock })
}
