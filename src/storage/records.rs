//! The trait of records: small JSON documents by shelf and name. What a record was acknowledged to be survives
//! everything that an acknowledged blob survives.

use crate::record::{Record, Shelf};
use crate::storage::error::Result;
use bytes::Bytes;

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is done and durable; the record is of this version now (of this one when it was removed).
    Done(u64),
    /// Nothing was changed: the record is not of the version that the writer had seen.
    Stale,
}

/// What a walk over a shelf meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundRecord {
    /// One that reads well.
    Record(String, Record),
    /// A file that is none: where, and what is wrong with it.
    Odd {
        /// The path below the storage root.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// Records. Every backend passes `records_contract.rs`.
///
/// A name is 1 to `record::NAME_BYTES_MAX` bytes of any UTF-8. Another one is an error in every method, and never
/// cut: no two names mean one record. A record that is there but does not read is an error too, never absent:
/// its name is not free.
#[async_trait::async_trait]
pub trait Records: Send + Sync {
    /// The record of a name. It may have been written a moment ago and not be durable yet; `sync` makes it so.
    async fn get(&self, shelf: Shelf, name: &str) -> Result<Option<Record>>;

    /// Writes a record, durably when it returns, if the one that stands there is of version `seen`; 0: if there is
    /// none. A reader sees the old one or the new one, whole. JSON that is none, or larger than
    /// `record::RECORD_BYTES_MAX`, is an error. After an error of storage nobody knows which one stands there;
    /// after `sync`, `get` tells.
    async fn put(&self, shelf: Shelf, name: &str, json: Bytes, seen: u64) -> Result<Written>;

    /// Removes a record, durably when it returns, if it is of version `seen`. One that is not there is `Stale`.
    async fn remove(&self, shelf: Shelf, name: &str, seen: u64) -> Result<Written>;

    /// All records of a shelf, in no order; a bad file does not end the walk.
    async fn walk(&self, shelf: Shelf, visit: &mut (dyn FnMut(FoundRecord) + Send)) -> Result<()>;

    /// Whether there is no record at all, without walking. Marks do not count.
    async fn is_empty(&self) -> Result<bool>;

    /// Makes durable whatever `get` tells now, also what an earlier process has left unsynced. A backend that tells
    /// nothing before it is durable has nothing to do.
    async fn sync(&self) -> Result<()> {
        Ok(())
    }
}
