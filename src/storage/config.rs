//! The settings of storage.

use serde::{Deserialize, Serialize};

/// `[storage]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[storage.filesystem]`
    pub filesystem: Filesystem,
}

/// `[storage.filesystem]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filesystem {
    /// The folder that holds `docker/registry/v2`. Empty: `<data>/registry`.
    pub root: String,
    /// Pushes are refused while the disk has fewer free bytes than this, so that the metadata never meets a
    /// full disk.
    pub free_bytes_min: u64,
}

impl Default for Filesystem {
    fn default() -> Self {
        Self { root: String::new(), free_bytes_min: 64 << 20 }
    }
}
