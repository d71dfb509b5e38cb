//! The parts that the rules work on. Holds them and nothing more.

use crate::clock::Clock;
use crate::metadata::open::Metadata;
use crate::oci::digest::Digest;
use crate::read_only::ReadOnly;
use crate::registry::config::Config;
use crate::registry::heard::Heard;
use crate::registry::locks::Locks;
use crate::registry::readiness::Readiness;
use crate::registry::sessions::Sessions;
use crate::registry::unsettled::AllUnsettled;
use crate::storage::open::Storage;
use bytes::Bytes;
use moka::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Who settles names now.
    pub settling: Locks,
    /// Operations that failed, and whose names and facts are still to be made to agree.
    pub unsettled: AllUnsettled,
    /// Which uploads are being written to.
    pub sessions: Sessions,
    /// Whether the metadata is whole yet.
    pub readiness: Readiness,
    /// Whether changes ask for the claim on the storage: once it was taken.
    claimed: AtomicBool,
    /// Whether storage and metadata answer.
    pub heard: Heard,
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
            settling: Locks::default(),
            unsettled: AllUnsettled::default(),
            sessions: Sessions::default(),
            readiness: Readiness::default(),
            claimed: AtomicBool::new(false),
            heard: Heard::default(),
            read_only,
            manifest_cache,
        }
    }

    /// The storage was claimed for this process: from now on it changes something only while that claim stands.
    pub fn claimed(&self) {
        self.claimed.store(true, Ordering::Release);
    }

    /// Whether nobody else can have claimed the storage meanwhile.
    pub fn may_change(&self) -> bool {
        !self.claimed.load(Ordering::Acquire) || self.storage.claim.stands()
    }
}
