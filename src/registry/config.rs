//! The settings of the rules.

use serde::{Deserialize, Serialize};

/// `[registry]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Largest manifest that is taken, in bytes.
    pub manifest_bytes_max: u64,
    /// What happens to a manifest that names blobs or manifests which its repository does not hold.
    pub absent_content: AbsentContent,
    /// Most entries of one page of tags, repositories or referrers, and as many as there are without `n`.
    pub page_entries_max: u64,
    /// Most uploads that are open at once.
    pub uploads_max: u64,
    /// An upload that nobody has written to for so long is dropped.
    pub upload_idle_secs: u64,
    /// Memory for the bytes of manifests that are asked for again and again.
    pub manifest_cache_bytes: u64,
    /// Nothing is pushed and nothing is deleted; accounts may change all the same.
    pub read_only: bool,
}

/// What happens to a manifest that names what is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AbsentContent {
    /// It is refused, with the name of each absent digest.
    Refuse,
    /// It is taken: for sparse copies of images.
    Accept,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            manifest_bytes_max: 4 << 20,
            absent_content: AbsentContent::Refuse,
            page_entries_max: 10_000,
            uploads_max: 10_000,
            upload_idle_secs: 24 * 3600,
            manifest_cache_bytes: 16 << 20,
            read_only: false,
        }
    }
}

/// The least that clients may count on (distribution-spec, "Pushing Manifests": 4 megabytes) is advice; this
/// is the least with which a registry is of any use.
pub const MANIFEST_BYTES_LEAST: u64 = 64 << 10;
