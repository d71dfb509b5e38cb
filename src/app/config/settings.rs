//! All settings, composed of those that each room owns.

use crate::app::{first_admin, server, telemetry};
use crate::workers::audit;
use crate::{acl, auth, metadata, registry, storage};
use serde::{Deserialize, Serialize};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The folder of the metadata, of keys, and of the images unless `[storage]` says otherwise.
    pub data: String,
    /// `[[acl]]`, in order.
    pub acl: Vec<acl::config::Rule>,
    /// `[server]`
    pub server: server::Config,
    /// `[storage]`
    pub storage: storage::config::Config,
    /// `[metadata]`
    pub metadata: metadata::config::Config,
    /// `[registry]`
    pub registry: registry::config::Config,
    /// `[admin]`
    pub admin: first_admin::Config,
    /// `[auth]`
    pub auth: auth::config::Config,
    /// `[audit]`
    pub audit: audit::Config,
    /// `[log]`
    pub log: telemetry::Config,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: "./holdfast-data".into(),
            acl: Vec::new(),
            server: server::Config::default(),
            storage: storage::config::Config::default(),
            metadata: metadata::config::Config::default(),
            registry: registry::config::Config::default(),
            admin: first_admin::Config::default(),
            auth: auth::config::Config::default(),
            audit: audit::Config::default(),
            log: telemetry::Config::default(),
        }
    }
}
