//! What other processes that share the metadata have changed of what this one remembers.

use crate::metadata::error::Result;
use crate::oci::page::{Listed, Page};
use crate::record::{Record, Shelf};

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Nothing, for a moment.
    Nothing,
    /// These records.
    Records(Vec<(Shelf, String)>),
    /// Nobody knows what: the line was broken for so long that changes may have been missed.
    Anything,
}

/// News from other processes, and the records that they speak of. Requests that wait for the metadata keep neither
/// waiting.
#[async_trait::async_trait]
pub trait Newspaper: Send + Sync {
    /// Tells changes of records by other processes since the last call, or since the metadata was opened; waits for them
    /// for half a second at most. What was changed before the call is told by it, or was told before. Never returns
    /// where there is no other process. One caller at a time. After an error the next call goes on where this one was.
    async fn next(&self) -> Result<News>;

    /// A record, as `Accounts::find`.
    async fn look_up(&self, shelf: Shelf, name: &str) -> Result<Option<Record>>;

    /// A page of records, as `Accounts::list`.
    async fn leaf_through(&self, shelf: Shelf, page: &Page) -> Result<Listed<(String, Record)>>;

    /// What others have changed up to now of which whoever calls `next` may not have heard: all that was not told before
    /// the call of it that is under way. It is told by `next` all the same.
    async fn unread(&self) -> Result<News>;
}
