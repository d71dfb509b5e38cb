//! The audit trail: what happened, newest last, bounded by age and number. It is also in the log, so it may be lost.

use crate::metadata::error::Result;

/// One event as it is kept: when, and a JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Names it, and orders it: greater than those of all before.
    pub id: u64,
    /// The event in JSON, at most 4 KiB.
    pub json: String,
}

/// The audit trail.
#[async_trait::async_trait]
pub trait Audit: Send + Sync {
    /// Appends events (time in milliseconds since the Unix epoch, JSON) in this order; need not be durable.
    async fn append(&self, events: Vec<(u64, String)>) -> Result<()>;

    /// At most `count` events before the one named `before` (from the newest if `None`), the newest first.
    async fn newest(&self, before: Option<u64>, count: usize) -> Result<Vec<Entry>>;

    /// Drops events of before `unix_millis`, and all but the newest `count_max`; at most some thousands a call.
    /// Answers whether there is more to drop.
    async fn trim(&self, unix_millis: u64, count_max: u64) -> Result<bool>;
}
