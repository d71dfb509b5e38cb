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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// The manifests are being removed, and whatever tags mean them.
    #[serde(default)]
    pub removing: bool,
}

/// The facts about what is under way.
#[async_trait::async_trait]
pub trait Intents: Send + Sync {
    /// Records an intent, durably.
    async fn begin(&self, id: IntentId, intent: &Intent) -> Result<()>;

    /// Forgets an intent; need not be durable.
    async fn end(&self, id: IntentId) -> Result<()>;

    /// At most `count` intents that were neither fulfilled nor ended.
    async fn pending(&self, count: usize) -> Result<Vec<(IntentId, Intent)>>;
}
