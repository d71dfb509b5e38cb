//! The settings of metadata in PostgreSQL.

use crate::secret::Secret;
use serde::{Deserialize, Serialize};

/// `[metadata.postgres]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `postgres://user:password@host/database?sslmode=verify-full&sslrootcert=ca.pem`. Empty: an embedded engine.
    pub url: Secret,
    /// Connections at once, for requests; three more serve the replica itself.
    pub connections_max: u32,
    /// Longest time that a statement may take, in seconds.
    pub statement_secs: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { url: Secret::default(), connections_max: 16, statement_secs: 10 }
    }
}

impl Config {
    /// Whether the metadata is there.
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// Values that read well and make no sense. None of them tells the URL.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let scheme = self.url.expose().split_once("://").map(|(scheme, _)| scheme);
        if self.is_on() && !matches!(scheme, Some("postgres" | "postgresql")) {
            mistakes.push("`metadata.postgres.url` does not begin with postgres://".to_owned());
        }
        if self.connections_max == 0 {
            mistakes.push("`metadata.postgres.connections_max` is 0: nothing could be asked".to_owned());
        }
        if self.statement_secs == 0 {
            mistakes.push("`metadata.postgres.statement_secs` is 0: nothing could be answered".to_owned());
        }
        mistakes
    }
}
