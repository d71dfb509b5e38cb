//! Changing a record in a bucket: compared and set by the bucket itself, which takes a write only if the object is still
//! the one that was seen.
//!
//! A bucket removes an object whatever it has become, and does so when the request arrives: also much later, from a process
//! that stood still, when the name is somebody else's. So a removal writes, compared and set, that the record is removed;
//! whoever meets that takes it for no record, and the next record of the name replaces it at once. It stays, in twenty
//! bytes, where people choose the names: those are few. The object itself goes only where no name ever comes again.

use crate::record::{Record, Shelf};
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::object::bucket::{Bucket, PutIf, Small};
use crate::storage::record_text::{self, FILE_BYTES_MAX, VERSION_MAX};
use crate::storage::records::Written;
use bytes::Bytes;
use object_store::UpdateVersion;
use std::io;
use std::time::Duration;

/// How long a removal may take to remove the object, once it is decided.
const REMOVAL: Duration = Duration::from_secs(2);
/// How often a change starts again because another one came between.
const TRIES: usize = 8;

/// What stands at the place of a record.
#[derive(Debug)]
pub enum There {
    /// Nothing.
    Nothing,
    /// What a removal leaves.
    Removed(UpdateVersion),
    /// A record.
    Record(Record, UpdateVersion),
}

/// Looks at the place of a record. What is there and does not read is an error.
pub async fn there(bucket: &Bucket, path: &str) -> Result<There> {
    let Some(Small { bytes, version, .. }) = bucket.small(path, FILE_BYTES_MAX).await? else {
        return Ok(There::Nothing);
    };
    if record_text::is_removal(&bytes) {
        return Ok(There::Removed(version));
    }
    record_text::parse(&bytes).map(|record| There::Record(record, version)).map_err(|why| invalid(path, why))
}

fn invalid(path: &str, why: impl Into<String>) -> Error {
    Error::at(path, io::Error::new(io::ErrorKind::InvalidData, why.into()))
}

/// The highest version of all records that were removed from a shelf.
pub async fn removed(bucket: &Bucket, shelf: Shelf) -> Result<u64> {
    Ok(mark(bucket, shelf).await?.map_or(0, |(version, _)| version))
}

async fn mark(bucket: &Bucket, shelf: Shelf) -> Result<Option<(u64, UpdateVersion)>> {
    let path = layout::removed(shelf);
    let Some(mark) = bucket.small(&path, 64).await? else { return Ok(None) };
    let version = record_text::parse_removed(&mark.bytes).map_err(|why| {
        Error::at(&path, io::Error::new(io::ErrorKind::InvalidData, format!("{path}: {why}")))
    })?;
    Ok(Some((version, mark.version)))
}

/// Makes a shelf remember a version, if it does not remember a higher one.
async fn raise(bucket: &Bucket, shelf: Shelf, version: u64) -> Result<()> {
    let (path, text) = (layout::removed(shelf), Bytes::from(version.to_string()));
    for _ in 0..TRIES {
        let stands = mark(bucket, shelf).await?;
        if stands.as_ref().is_some_and(|(highest, _)| *highest >= version) {
            return Ok(());
        }
        if let PutIf::Done(_) = bucket.put_if(&path, &text, stands.as_ref().map(|(_, stands)| stands)).await?
        {
            return Ok(());
        }
    }
    Err(busy(&path))
}

fn busy(path: &str) -> Error {
    Error::Unreachable { what: path.to_owned(), why: "others change it all the time".into() }
}

/// Writes a record.
pub async fn put(bucket: &Bucket, shelf: Shelf, path: &str, json: &Bytes, seen: u64) -> Result<Written> {
    match seen {
        0 => make(bucket, shelf, path, json).await,
        seen => change(bucket, path, json, seen).await,
    }
}

/// Writes a record where none is.
async fn make(bucket: &Bucket, shelf: Shelf, path: &str, json: &Bytes) -> Result<Written> {
    let mut replaced = None;
    for _ in 0..TRIES {
        let version = next(path, removed(bucket, shelf).await?)?;
        let made = bucket.put_if(path, &text(path, version, json)?, replaced.as_ref()).await?;
        if let PutIf::Done(_) = made {
            return Ok(Written::Done(version));
        }
        replaced = match there(bucket, path).await? {
            There::Record(..) => return Ok(Written::Stale),
            There::Nothing => None,
            There::Removed(before) => Some(before),
        };
    }
    Err(busy(path))
}

/// Writes a record over the version that was seen.
async fn change(bucket: &Bucket, path: &str, json: &Bytes, seen: u64) -> Result<Written> {
    let There::Record(record, stands) = there(bucket, path).await? else { return Ok(Written::Stale) };
    if record.version != seen {
        return Ok(Written::Stale);
    }
    let version = next(path, seen)?;
    match bucket.put_if(path, &text(path, version, json)?, Some(&stands)).await? {
        PutIf::Done(_) => Ok(Written::Done(version)),
        PutIf::Lost => Ok(Written::Stale),
    }
}

/// Removes a record. Its shelf remembers the version before it goes: no name ever has a version again.
pub async fn remove(bucket: &Bucket, shelf: Shelf, path: &str, seen: u64) -> Result<Written> {
    let There::Record(record, stands) = there(bucket, path).await? else { return Ok(Written::Stale) };
    if record.version != seen {
        return Ok(Written::Stale);
    }
    raise(bucket, shelf, seen).await?;
    if let PutIf::Lost = bucket.put_if(path, &record_text::removal(seen).into(), Some(&stands)).await? {
        return Ok(Written::Stale);
    }
    if never_comes_again(shelf) {
        // It is removed; whether its object goes too is a matter of room alone.
        match tokio::time::timeout(REMOVAL, bucket.remove(path)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, path, "what a removed record has left could not be removed");
            }
            Err(_) => tracing::warn!(path, "what a removed record has left could not be removed in time"),
        }
    }
    Ok(Written::Done(seen))
}

/// Whether names of this shelf are random, and no new record ever has one that was removed.
fn never_comes_again(shelf: Shelf) -> bool {
    match shelf {
        Shelf::Tokens | Shelf::Grants => true,
        Shelf::Users | Shelf::Groups | Shelf::ServiceAccounts | Shelf::Marks => false,
    }
}

fn next(path: &str, before: u64) -> Result<u64> {
    if before >= VERSION_MAX {
        return Err(Error::at(path, io::Error::other("it has no version left")));
    }
    Ok(before + 1)
}

fn text(path: &str, version: u64, json: &Bytes) -> Result<Bytes> {
    let no_json = || Error::at(path, io::Error::new(io::ErrorKind::InvalidInput, "it is no JSON"));
    record_text::text(version, json).map(Bytes::from).ok_or_else(no_json)
}
