//! The settings of metadata.

use crate::metadata::postgres;
use serde::{Deserialize, Serialize};

/// `[metadata]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The embedded engine.
    pub engine: Engine,
    /// Its folder. Empty: `<data>/metadata`.
    pub path: String,
    /// A server instead, if it has a URL.
    pub postgres: postgres::config::Config,
}

/// An embedded engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// sled 0.34, with our own fsync after each of its flushes.
    Sled,
    /// redb 4.
    Redb,
}

impl Default for Config {
    fn default() -> Self {
        Self { engine: Engine::Sled, path: String::new(), postgres: postgres::config::Config::default() }
    }
}
