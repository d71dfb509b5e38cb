//! The trait of records, in a bucket: one small object each, with the same text as on a filesystem.

use crate::record::{NAME_BYTES_MAX, RECORD_BYTES_MAX, Record, Shelf};
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::object::bucket::{Bucket, Listed};
use crate::storage::object::objects::Objects;
use crate::storage::object::record_changes::{self, There};
use crate::storage::record_text::REMOVAL_BYTES_MAX;
use crate::storage::records::{FoundRecord, Records, Written};
use bytes::Bytes;
use futures_util::TryStreamExt;
use std::io;

/// Records that are read ahead of a visitor.
const AHEAD: usize = 16;

#[async_trait::async_trait]
impl Records for Objects {
    async fn get(&self, shelf: Shelf, name: &str) -> Result<Option<Record>> {
        match record_changes::there(&self.bucket, &object(shelf, name)?).await? {
            There::Record(record, _) => Ok(Some(record)),
            There::Nothing | There::Removed(_) => Ok(None),
        }
    }

    async fn put(&self, shelf: Shelf, name: &str, json: Bytes, seen: u64) -> Result<Written> {
        let path = object(shelf, name)?;
        if json.len() > RECORD_BYTES_MAX {
            return Err(refused(path, format!("a record has at most {RECORD_BYTES_MAX} bytes")));
        }
        let _turn = self.turn(shelf, name).await;
        record_changes::put(&self.bucket, shelf, &path, &json, seen).await
    }

    async fn remove(&self, shelf: Shelf, name: &str, seen: u64) -> Result<Written> {
        let path = object(shelf, name)?;
        let _turn = self.turn(shelf, name).await;
        record_changes::remove(&self.bucket, shelf, &path, seen).await
    }

    async fn walk(&self, shelf: Shelf, visit: &mut (dyn FnMut(FoundRecord) + Send)) -> Result<()> {
        if let Err(error) = record_changes::removed(&self.bucket, shelf).await {
            visit(FoundRecord::Odd { path: layout::removed(shelf), why: unreadable(error)? });
        }
        let folder = layout::shelf(shelf);
        let objects = self.bucket.below(&folder, None);
        let mut found =
            objects.map_ok(|object| found(&self.bucket, &folder, object.path)).try_buffered(AHEAD);
        while let Some(found) = found.try_next().await? {
            found.into_iter().for_each(&mut *visit);
        }
        Ok(())
    }

    async fn is_empty(&self) -> Result<bool> {
        // What does not read counts too: there was a record once. What removals have left does not, nor do marks: they say
        // what a storage is, not what it holds.
        let shelves = Shelf::ALL.into_iter().filter(|shelf| *shelf != Shelf::Marks);
        let folders: Vec<_> = shelves.map(|shelf| format!("{}/", layout::shelf(shelf))).collect();
        let mut objects = self.bucket.below(layout::RECORDS, None);
        while let Some(object) = objects.try_next().await? {
            let counts = folders.iter().any(|folder| object.path.starts_with(folder));
            if counts && !is_left_of_a_removal(&self.bucket, &object).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn object(shelf: Shelf, name: &str) -> Result<String> {
    let why = || format!("the name of a record has 1 to {NAME_BYTES_MAX} bytes, not {}", name.len());
    layout::record(shelf, name).ok_or_else(|| refused(layout::shelf(shelf), why()))
}

fn refused(what: String, why: String) -> Error {
    Error::at(what, io::Error::new(io::ErrorKind::InvalidInput, why))
}

/// Why an object does not read; an error of the bucket itself stays one.
fn unreadable(error: Error) -> Result<String> {
    match error {
        Error::Fault { source, .. } if source.kind() == io::ErrorKind::InvalidData => Ok(source.to_string()),
        error => Err(error),
    }
}

/// Whether an object is what a removal has left: only small ones are looked at.
async fn is_left_of_a_removal(bucket: &Bucket, object: &Listed) -> Result<bool> {
    if object.size > REMOVAL_BYTES_MAX as u64 {
        return Ok(false);
    }
    match record_changes::there(bucket, &object.path).await {
        Ok(There::Nothing | There::Removed(_)) => Ok(true),
        Ok(There::Record(..)) => Ok(false),
        Err(error) => unreadable(error).map(|_| false),
    }
}

/// What an object of a shelf is. `None`: it went away meanwhile.
async fn found(bucket: &Bucket, folder: &str, path: String) -> Result<Option<FoundRecord>> {
    let file = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
    let Some(name) = layout::record_name(file) else {
        return Ok(Some(FoundRecord::Odd { path, why: "its name is not that of a record".into() }));
    };
    Ok(match record_changes::there(bucket, &path).await {
        Ok(There::Record(record, _)) => Some(FoundRecord::Record(name, record)),
        Ok(There::Nothing | There::Removed(_)) => None,
        Err(error) => Some(FoundRecord::Odd { why: unreadable(error)?, path }),
    })
}
