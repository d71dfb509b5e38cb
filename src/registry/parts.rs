//! The parts that the rules work on. Holds them and nothing more.

use crate::clock::Clock;
use crate::metadata::open::Metadata;
use crate::oci::digest::Digest;
use crate::read_only::ReadOnly;
use crate::registry::config::Config;
use crate::registry::locks::Locks;
use crate::registry::readiness::Readiness;
use crate::registry::sessions::Sessions;
use crate::storage::open::Storage;
use bytes::Bytes;
use moka::sync::Cache;
use std::sync::Arc;

/// A registry: storage, metadata, and what the rules share in memory.
pub struct Registry {
    /// The truth.
    pub storage: Storage,
    /// The facts.
    pub metadata: Metadata,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub config: Config,
    /// Who may change which names now.
    pub locks: Locks,
    /// Which uploads are being written to.
    pub sessions: Sessions,
    /// Whether the metadata is whole yet.
    pub readiness: Readiness,
    /// Whether changes are taken.
    pub read_only: Arc<ReadOnly>,
    /// Bytes of manifests by digest: they cannot change, so they need no invalidation. Whether a repository
    /// holds one is asked of the metadata each time.
    pub manifest_cache: Cache<Digest, Bytes>,
}

impl Registry {
    /// A registry of these parts.
    pub fn new(storage: Storage, metadata: Metadata, clock: Arc<dyn Clock>, config: Config) -> Self {
        let manifest_cache = Cache::builder()
            .max_capacity(config.manifest_cache_bytes)
            .weigher(|_, bytes: &Bytes| u32::try_from(bytes.len() + size_of::<Digest>()).unwrap_or(u32::MAX))
            .build();
        let read_only = Arc::new(ReadOnly::new(config.read_only));
        Self {
            storage,
            metadata,
            clock,
            config,
            locks: Locks::default(),
            sessions: Sessions::default(),
            readiness: Readiness::default(),
            read_only,
            manifest_cache,
        }
    }
}
