//! What other processes that share the metadata have changed of what this one remembers.

use crate::metadata::error::Result;
use crate::record::Shelf;

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// These records.
    Records(Vec<(Shelf, String)>),
    /// Nobody knows what: the line was broken for so long that changes may have been missed.
    Anything,
}

/// News from other processes.
#[async_trait::async_trait]
pub trait Newspaper: Send + Sync {
    /// Waits for a change of records by another process since the last call, or since the metadata was opened. Each is
    /// told within a second of being made. Never returns where there is no other process. One caller at a time. After an
    /// error the next call goes on where this one was.
    async fn next(&self) -> Result<News>;

    /// What others have changed up to now of which whoever calls `next` may not have heard: all that was not told before
    /// the call of it that is under way. It is told by `next` all the same.
    async fn unread(&self) -> Result<News>;
}
