//! Marks: what a storage is. Each has an id of its own once a move has met it, and the target of a move says from where
//! it is filled and whether that is done, so that nobody serves half a registry, and no move writes into another one's.

use crate::record::Shelf;
use crate::registry::transfer::error::{Error, Result};
use crate::storage::error::Error as StorageError;
use crate::storage::open::Storage;
use crate::storage::records::Written;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const IDENTITY: &str = "storage";
const TARGET: &str = "target";
const HEIR: &str = "heir";

#[derive(Serialize, Deserialize)]
struct Identity {
    id: String,
}

/// What a storage says of the move that fills it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The id of the source.
    pub source: String,
    /// Whether all of it is there.
    pub done: bool,
}

/// Metadata that is being made for a storage which stays where it is.
#[derive(Serialize, Deserialize)]
struct Heir {
    id: String,
}

type Answer<T> = std::result::Result<T, StorageError>;

/// The id of a storage; one that has none is given one.
pub async fn identity(storage: &Storage) -> Answer<String> {
    if let Some((known, _)) = find::<Identity>(storage, IDENTITY).await? {
        return Ok(known.id);
    }
    let fresh = Identity { id: Uuid::new_v4().to_string() };
    write(storage, IDENTITY, &fresh, 0).await?;
    // Somebody else may have been first.
    Ok(find::<Identity>(storage, IDENTITY).await?.map_or(fresh.id, |(known, _)| known.id))
}

/// Of which move a storage is the target.
pub async fn target(storage: &Storage) -> Answer<Option<Target>> {
    Ok(find(storage, TARGET).await?.map(|(target, _)| target))
}

/// Marks a storage as the target of a move from `source`. Refuses one that holds anything else.
pub async fn claim(storage: &Storage, source: &str) -> Result<()> {
    let seen = match find::<Target>(storage, TARGET).await.map_err(Error::Target)? {
        Some((target, version)) if target.source == source => version,
        Some(_) => {
            let why =
                "the target is filled by a move from another registry; give this one a place of its own";
            return Err(Error::Refused(why.into()));
        }
        None => {
            // Blobs too: those that stand there when it begins are nobody's word for what they hold.
            let empty = storage.links.is_empty().await.map_err(Error::Target)?
                && storage.records.is_empty().await.map_err(Error::Target)?
                && storage.links.lead_nowhere().await.map_err(Error::Target)?;
            if !empty {
                let why = "the target holds images, blobs or accounts already, and none of this move's; give it an empty place";
                return Err(Error::Refused(why.into()));
            }
            0
        }
    };
    write(storage, TARGET, &Target { source: source.to_owned(), done: false }, seen)
        .await
        .map_err(Error::Target)
}

/// Says that all is there.
pub async fn complete(storage: &Storage, source: &str) -> Result<()> {
    let seen =
        find::<Target>(storage, TARGET).await.map_err(Error::Target)?.map_or(0, |(_, version)| version);
    write(storage, TARGET, &Target { source: source.to_owned(), done: true }, seen)
        .await
        .map_err(Error::Target)
}

/// The id of the metadata that a move has begun to make for this storage.
pub async fn heir(storage: &Storage) -> Answer<Option<String>> {
    Ok(find::<Heir>(storage, HEIR).await?.map(|(heir, _)| heir.id))
}

/// Says which metadata is being made for it: what stands there is this move's.
pub async fn name_heir(storage: &Storage, id: &str) -> Answer<()> {
    let seen = find::<Heir>(storage, HEIR).await?.map_or(0, |(_, version)| version);
    write(storage, HEIR, &Heir { id: id.to_owned() }, seen).await
}

/// The storage is a registry of its own from now on.
pub async fn settle(storage: &Storage) -> Answer<()> {
    if let Some((_, version)) = find::<Target>(storage, TARGET).await? {
        storage.records.remove(Shelf::Marks, TARGET, version).await?;
    }
    Ok(())
}

async fn find<T: DeserializeOwned>(storage: &Storage, name: &str) -> Answer<Option<(T, u64)>> {
    let Some(record) = storage.records.get(Shelf::Marks, name).await? else { return Ok(None) };
    let mark = serde_json::from_slice(&record.json).map_err(|error| unread(name, error))?;
    Ok(Some((mark, record.version)))
}

async fn write<T: Serialize>(storage: &Storage, name: &str, mark: &T, seen: u64) -> Answer<()> {
    let json = serde_json::to_vec(mark).map_err(|error| unread(name, error))?;
    match storage.records.put(Shelf::Marks, name, Bytes::from(json), seen).await? {
        // Of two who write the same mark either may win.
        Written::Done(_) | Written::Stale => Ok(()),
    }
}

fn unread(name: &str, error: serde_json::Error) -> StorageError {
    StorageError::at(format!("the mark {name}"), std::io::Error::other(error))
}
