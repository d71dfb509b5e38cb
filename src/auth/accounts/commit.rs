//! One change of one document: intent, record in storage, fact in the metadata, then memory. The only file that writes
//! either place.
//!
//! Where a step fails, the name is settled: storage is looked at again, and what it holds becomes the fact. Where even
//! that fails the name is remembered, and its intent stays, for `load::mend`. So both places tell the old document or the new one, and the same.

use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::document::{self, Document};
use crate::auth::error::{Error, Result};
use crate::metadata::intents::Begun;
use crate::read_only::Refused;
use crate::record::{Record, Shelf};
use crate::storage::records::Written;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::Instant;

/// How often something is tried again that somebody else changed at the same time.
pub const TRIES: usize = 8;
/// How long a name is waited for that another process is changing.
const WAIT_MAX: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Writes a document if the one that stands there is of version `seen`; 0: if there is none. `Stale` if it is not.
pub async fn put<D: Document>(directory: &Directory, document: &D, seen: u64) -> Result<()> {
    let json = document::write(document)?;
    change(directory, D::SHELF, document.key(), Some(json), seen).await
}

/// Removes a document if it is of version `seen`. `Stale` if it is not.
pub async fn remove(directory: &Directory, shelf: Shelf, name: &str, seen: u64) -> Result<()> {
    change(directory, shelf, name, None, seen).await
}

/// Removes a document whatever it is. Answers whether there was one.
pub async fn erase(directory: &Directory, shelf: Shelf, name: &str) -> Result<bool> {
    for _ in 0..TRIES {
        let Some(record) = directory.records.get(shelf, name).await? else {
            settle(directory, shelf, name).await?;
            return Ok(false);
        };
        match remove(directory, shelf, name, record.version).await {
            Err(Error::Stale) => {}
            other => return other.map(|()| true),
        }
    }
    Err(Error::Stale)
}

/// Makes the metadata and the memory tell what storage holds of a name.
pub async fn settle(directory: &Directory, shelf: Shelf, name: &str) -> Result<()> {
    let _alone = directory.locks.record(shelf, name).await;
    let mut way = UnderWay { directory, shelf, name, ended: false };
    let settled = settle_alone(directory, shelf, name).await;
    // Where another process has the name nothing is ours to settle.
    way.ended = matches!(settled, Ok(()) | Err(Error::Stale));
    settled
}

/// A change that has begun. Where it does not come to its end, whether it broke or whoever waited for it has gone, its
/// name is remembered to be settled: its intent may have ended, and only the memory not been told.
struct UnderWay<'a> {
    directory: &'a Directory,
    shelf: Shelf,
    name: &'a str,
    ended: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.directory.mark_settled(self.shelf, self.name, false);
        }
    }
}

/// How far a change came that broke.
struct Broke {
    error: Error,
    /// Storage has it.
    stored: bool,
}

impl Broke {
    fn before(error: impl Into<Error>) -> Self {
        Self { error: error.into(), stored: false }
    }
}

async fn change(
    directory: &Directory,
    shelf: Shelf,
    name: &str,
    json: Option<Bytes>,
    seen: u64,
) -> Result<()> {
    let _change = directory.read_only.change_of_accounts()?;
    directory.ours()?;
    let _alone = directory.locks.record(shelf, name).await;
    let mut way = UnderWay { directory, shelf, name, ended: false };
    let broke = match begin(directory, shelf, name).await {
        // Another process has the name, or all are held: nothing is ours to settle.
        Err(error @ (Error::Stale | Error::ReadOnly(_))) => {
            way.ended = true;
            return Err(error);
        }
        // It may have begun all the same; to settle the name ends that.
        Err(error) => Broke::before(error),
        Ok(()) => match steps(directory, shelf, name, json, seen).await {
            Ok(()) => {
                way.ended = true;
                return Ok(());
            }
            Err(broke) => broke,
        },
    };
    match settle_alone(directory, shelf, name).await {
        Ok(()) => {
            way.ended = true;
            if broke.stored { Ok(()) } else { Err(broke.error) }
        }
        Err(error) => {
            tracing::error!(shelf = shelf.as_str(), name, %error, "storage and metadata may differ until it is mended");
            Err(broke.error)
        }
    }
}

async fn steps(
    directory: &Directory,
    shelf: Shelf,
    name: &str,
    json: Option<Bytes>,
    seen: u64,
) -> std::result::Result<(), Broke> {
    directory.ours().map_err(Broke::before)?;
    let written = match &json {
        Some(json) => directory.records.put(shelf, name, json.clone(), seen).await,
        None => directory.records.remove(shelf, name, seen).await,
    };
    let version = match written.map_err(Broke::before)? {
        Written::Done(version) => version,
        Written::Stale => return Err(Broke::before(Error::Stale)),
    };
    let record = json.map(|json| Record { version, json });
    let known = match &record {
        Some(record) => directory.accounts.keep(shelf, name, record.clone()).await,
        None => directory.accounts.forget(shelf, name).await,
    };
    known.map_err(|error| Broke { error: error.into(), stored: true })?;
    directory.absorb(shelf, name, record.as_ref());
    // Whoever has claimed the storage meanwhile may have read it before: nobody is told that this counts.
    directory.ours().map_err(Broke::before)
}

/// Waits until no other process has the name under its hands. One that has it for long makes of ours a change that came
/// too late.
async fn begin(directory: &Directory, shelf: Shelf, name: &str) -> Result<()> {
    let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        match directory.accounts.begin(shelf, name).await? {
            Begun::Stands => return Ok(()),
            Begun::Held => return Err(Refused::ForNow.into()),
            Begun::InTheWay if began.elapsed() > WAIT_MAX => return Err(Error::Stale),
            Begun::InTheWay => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn settle_alone(directory: &Directory, shelf: Shelf, name: &str) -> Result<()> {
    // What is read of storage must still be so when it becomes the fact. To begin what has begun changes nothing.
    begin(directory, shelf, name).await?;
    let record = directory.records.get(shelf, name).await?;
    match &record {
        Some(record) => directory.accounts.keep(shelf, name, record.clone()).await?,
        None => directory.accounts.forget(shelf, name).await?,
    }
    directory.absorb(shelf, name, record.as_ref());
    directory.mark_settled(shelf, name, true);
    Ok(())
}
