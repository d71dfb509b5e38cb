//! What every handler is given.

use crate::auth::gate::Gate;
use crate::events::sink::{EventSink, Nobody};
use crate::http::cursor::Cursors;
use crate::http::origin::Proxies;
use crate::registry::parts::Registry;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The parts that the door opens on.
#[derive(Clone)]
pub struct Door {
    /// The rules' parts.
    pub registry: Arc<Registry>,
    /// A body that brings nothing for so long is cut off.
    pub stall: Duration,
    /// Memory for manifests on their way in.
    pub manifest_room: Arc<ManifestRoom>,
    /// Turns at walking through all that a repository holds, so that who asks for that often holds up only their like.
    pub walks: Arc<Semaphore>,
    /// Who comes in. `None`: the registry is open, and everybody may do everything.
    pub gate: Option<Arc<Gate>>,
    /// Is told what happens.
    pub events: Arc<dyn EventSink>,
    /// Called when somebody has changed the password that the first start made.
    pub initial_password_changed: Arc<dyn Fn() + Send + Sync>,
    /// Places in lists that not everybody sees whole.
    pub cursors: Arc<Cursors>,
    /// Which proxies are trusted, and what we are called from outside.
    pub proxies: Arc<Proxies>,
    /// Browsers that came over TLS are told to come so always.
    pub hsts: bool,
}

impl Door {
    /// A door on these rules, open to everybody, with no proxy in front of it.
    pub fn new(registry: Arc<Registry>, stall: Duration) -> Self {
        Self {
            registry,
            stall,
            manifest_room: Arc::new(ManifestRoom::default()),
            walks: Arc::new(Semaphore::new(WALKS_MAX)),
            cursors: Arc::new(Cursors::default()),
            gate: None,
            events: Arc::new(Nobody),
            initial_password_changed: Arc::new(|| {}),
            proxies: Arc::new(Proxies::default()),
            hsts: false,
        }
    }

    /// The same door, with a gate if one is given, that tells what happens.
    #[must_use]
    pub fn guarded(mut self, gate: Option<Arc<Gate>>, events: Arc<dyn EventSink>) -> Self {
        self.gate = gate;
        self.events = events;
        self
    }

    /// The same door, behind these proxies.
    #[must_use]
    pub fn behind(mut self, proxies: Proxies) -> Self {
        self.proxies = Arc::new(proxies);
        self
    }

    /// The same door, which tells browsers to come over TLS always, or does not.
    #[must_use]
    pub fn with_hsts(mut self, hsts: bool) -> Self {
        self.hsts = hsts;
        self
    }
}

/// Walks at once.
const WALKS_MAX: usize = 2;

/// A bound on the memory of all manifests that are being received at once.
pub struct ManifestRoom(Semaphore);

impl Default for ManifestRoom {
    fn default() -> Self {
        Self(Semaphore::new(MANIFEST_ROOM_KIB as usize))
    }
}

const MANIFEST_ROOM_KIB: u32 = 64 << 10;

impl ManifestRoom {
    /// Waits until there is room for so many bytes. `None` only when the house is being taken down.
    pub async fn acquire(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(MANIFEST_ROOM_KIB);
        self.0.acquire_many(kib).await.ok()
    }
}
