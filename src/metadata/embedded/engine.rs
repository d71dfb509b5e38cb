//! The seam to the embedded engines: ordered keys, atomic batches, and nothing else.
//!
//! An engine knows bytes only. Which rows there are, and what they mean, is the business of the other files of
//! this room; how to open, lock and move aside a folder is that of `folder.rs`.

use crate::metadata::error::{Error, Result};
use bytes::Bytes;
use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Longest value that an engine is given. sled keeps up to 17 rows in a page, and a page of more than 128 KiB goes
/// to a file of its own that sled never syncs: 17 rows of this size and of the longest key stay below that.
/// Longer values are cut into pieces by `long.rs`.
pub const VALUE_BYTES_MAX: usize = 6 << 10;

/// Rows to write; `None` removes a row.
pub type Batch = BTreeMap<Vec<u8>, Option<Bytes>>;

/// What is done with each row of a scan.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// An open engine. Reads may come from any thread, writes come from one.
pub trait Engine: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>>;

    /// Visits the rows with `from <= key < until` in byte order, until the visitor breaks off. The visitor must not
    /// call the engine.
    fn scan(&self, from: &[u8], until: &[u8], visit: Visit<'_>) -> Result<()>;

    /// Takes the room on the disk that a commit of these rows needs, so that it does not fail half-way. An error here
    /// leaves the engine as it was.
    fn reserve(&self, batch: &Batch) -> Result<()>;

    /// Writes all rows or none, seen by all readers when it returns. With `durable`, these and all rows written
    /// before survive a power cut when it returns; without, they survive when a later durable commit returns.
    /// After an error the engine may be of no more use until it is opened again.
    fn commit(&self, batch: &Batch, durable: bool) -> Result<()>;

    /// Makes durable what is not, and does what is better done when nothing is to be written: called when there was
    /// nothing for a while, and before the end.
    fn rest(&self) -> Result<()>;
}

/// Why an engine did not open.
#[derive(Debug)]
pub enum Unopened {
    /// Somebody else has it open.
    InUse,
    /// It could not be reached. Moving it aside would not help.
    Fault(Error),
    /// It does not read.
    Broken(String),
}

/// Tells an unreadable database from a disk that cannot be reached.
pub fn unopened(error: &io::Error) -> Unopened {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => Unopened::Fault(Error::Full),
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem | Kind::NotADirectory => {
            Unopened::Fault(fault(error))
        }
        _ => Unopened::Broken(error.to_string()),
    }
}

/// An I/O error as metadata tells it.
pub fn fault(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full,
        _ => Error::Fault(error.to_string()),
    }
}

/// Runs code of an engine. Both panic on some damage where they could answer an error; here that is an error too.
pub fn guarded<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| format!("it panicked: {}", text(panic.as_ref())))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "without a message",
    }
}
