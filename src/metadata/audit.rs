//! The audit trail: what happened, newest last, bounded by age and number. It is also in the log, so it may be lost.

use crate::metadata::error::Result;

/// Longest event that is kept, in bytes of JSON.
pub const EVENT_BYTES_MAX: usize = 4 << 10;

/// One event as it is kept: when, and a JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Names it, and orders it: greater than those of all before. At least 1.
    pub id: u64,
    /// When, in milliseconds since the Unix epoch.
    pub unix_millis: u64,
    /// The event in JSON, at most `EVENT_BYTES_MAX` of it.
    pub json: String,
}

/// The audit trail.
#[async_trait::async_trait]
pub trait Audit: Send + Sync {
    /// Appends events (time in milliseconds since the Unix epoch, JSON) in this order; need not be durable. Of one
    /// that is too long only its length is kept, as `{"omitted_bytes":n}`: it must not keep out those beside it.
    async fn append(&self, events: Vec<(u64, String)>) -> Result<()>;

    /// At most `count` events before the one named `before` (from the newest if `None`), the newest first.
    async fn newest(&self, before: Option<u64>, count: usize) -> Result<Vec<Entry>>;

    /// Drops events of before `unix_millis`, from the oldest up to the first that is none, and all but the newest
    /// `count_max`; at most some thousands a call. Answers whether there is more to drop. (After a clock that stood
    /// wrong, some old ones stand behind a young one until that goes. The other way a clock that falls back for a
    /// moment, or is set back, would take the whole trail with it.)
    async fn trim(&self, unix_millis: u64, count_max: u64) -> Result<bool>;
}
