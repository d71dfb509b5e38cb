//! All settings, composed of those that each room owns.

use crate::app::{server, telemetry};
use crate::{metadata, registry, storage};
use serde::{Deserialize, Serialize};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The folder of the metadata, of keys, and of the images unless `[storage]` says otherwise.
    pub data: String,
    /// `[server]`
    pub server: server::Config,
    /// `[storage]`
    pub storage: storage::config::Config,
    /// `[metadata]`
    pub metadata: metadata::config::Config,
    /// `[registry]`
    pub registry: registry::config::Config,
    /// `[log]`
    pub log: telemetry::Config,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: "./holdfast-data".into(),
            server: server::Config::default(),
            storage: storage::config::Config::default(),
            metadata: metadata::config::Config::default(),
            registry: registry::config::Config::default(),
            log: telemetry::Config::default(),
        }
    }
}
