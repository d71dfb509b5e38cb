//! Intents: names of storage that are about to change. One is durable before its names are touched, and goes
//! away in the same transaction that records the facts. What a crash leaves behind tells which names and facts
//! may disagree, so that they can be made to agree again without walking the store.
//!
//! That is also why facts need no sync of their own before a client is told: either the transaction survives,
//! or its intent does, and the names that it speaks of are durable in storage.

use crate::metadata::error::Result;
use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentId(pub Uuid);

impl IntentId {
    /// A new random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

/// The names of one repository that one operation changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The repository.
    pub repository: Repository,
    /// Blobs whose link may change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<Digest>,
    /// Manifests whose link may change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<Digest>,
    /// Tags that may change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// What is named is being removed: of manifests also whatever tags mean them.
    #[serde(default)]
    pub removing: bool,
}

/// The answer to an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Begun {
    /// It stands.
    Stands,
    /// It does not: one of another process stands in its way, and ends sooner or later.
    InTheWay,
    /// It does not: the processes that share the metadata are held (`metadata::holds`).
    Held,
}

/// What is settled, and so what is not in the way of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settling {
    /// What this process has begun itself: nothing of this process is in its way.
    Begun,
    /// What it was handed: only what it has begun itself is in its way, as it is in others'.
    Handed,
}

/// The facts about what is under way.
///
/// Where several processes share the metadata, an intent is also a lock between them, as `registry::locks` is within
/// one: those of two processes stand in each other's way if both name the same tag, or if both name the same blob or
/// manifest and at least one removes it; whoever removes a manifest also names the tags that mean it. Those that one
/// process has begun never do. The intents of a process that is no more stand in nobody's way for long: `pending`
/// hands them to whoever settles them, and until that is done they are in the way of that process, too: or what it has
/// answered meanwhile would be settled with them, by whatever a write that comes late has made of the names.
#[async_trait::async_trait]
pub trait Intents: Send + Sync {
    /// Records an intent, durably, unless another process has one in its way.
    async fn begin(&self, id: IntentId, intent: &Intent) -> Result<Begun>;

    /// The same for one name that is put right because of an intent that stands.
    async fn begin_settling(&self, id: IntentId, intent: &Intent, what: Settling) -> Result<Begun> {
        let _ = what;
        self.begin(id, intent).await
    }

    /// Whether this process may still act under an intent that it has begun or was handed: not once it was fulfilled or
    /// ended, nor once this process was away for so long that others may take it for dead. Asks nobody, so that it may
    /// be asked before each step.
    fn holds(&self, id: IntentId) -> bool;

    /// Whether an intent of this process stands: asks where `holds` only believes. A process that was away, and that
    /// nobody has missed, may act under its intents again.
    async fn regain(&self, id: IntentId) -> Result<bool> {
        Ok(self.holds(id)) // nobody else could have ended it
    }

    /// Forgets an intent; need not be durable. After an error it may stand, and may be ended again.
    async fn end(&self, id: IntentId) -> Result<()>;

    /// This process will not come back to an intent that it has begun, and could not end: it is as if it had been left
    /// by a process that is no more.
    fn leave(&self, id: IntentId) {
        let _ = id; // the next start is handed it
    }

    /// At most `count` intents that were neither fulfilled nor ended by a process that is no more. They are the
    /// caller's then, to be settled and ended; no other process is handed them while this one lives. Never one that this
    /// process has begun, but for those that it has left, or was never told that they stand.
    async fn pending(&self, count: usize) -> Result<Vec<(IntentId, Intent)>>;
}
