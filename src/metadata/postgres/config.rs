//! The settings of metadata in PostgreSQL.

use crate::secret::Secret;
use serde::{Deserialize, Serialize};

/// The shortest lease of a replica, which it renews three times in its term.
const LEASE_SECS_LEAST: u64 = 2;

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
    /// How long a replica may be silent before the others take it for dead, and settle what it was at, in seconds.
    pub lease_secs: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { url: Secret::default(), connections_max: 16, statement_secs: 10, lease_secs: 10 }
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
        if self.lease_secs < LEASE_SECS_LEAST {
            mistakes.push(format!(
                "`metadata.postgres.lease_secs` is less than {LEASE_SECS_LEAST}: a replica would be taken for dead at \
                 the first hiccup"
            ));
        }
        mistakes
    }
}
