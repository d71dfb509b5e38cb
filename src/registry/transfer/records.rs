//! Makes the target hold the records that the source holds.

use crate::oci::digest::{Algorithm, Digest};
use crate::oci::hasher;
use crate::record::{Record, Shelf};
use crate::registry::transfer::error::{Error, Result};
use crate::registry::transfer::parts::Transfer;
use crate::storage;
use crate::storage::layout;
use crate::storage::open::Storage;
use crate::storage::records::{FoundRecord, Written};
use futures_util::{TryStreamExt, stream};
use std::collections::{HashMap, HashSet};

/// Records that are written side by side.
const AT_ONCE: usize = 16;

/// Version and hash of each record of a shelf: the records themselves need not fit into memory.
type Known = HashMap<String, (u64, Digest)>;

/// Makes the shelves of both ends the same. Answers whether anything had to be changed.
pub async fn all(transfer: &Transfer) -> Result<bool> {
    let mut changed = false;
    for shelf in Shelf::ALL {
        changed |= self::shelf(transfer, shelf).await?;
    }
    Ok(changed)
}

async fn shelf(transfer: &Transfer, shelf: Shelf) -> Result<bool> {
    let tally = &transfer.tally;
    let mut unread = HashSet::new();
    let mut lost = |path: String, why: String| {
        unread.insert(path.clone());
        tally.lost.tell(path, why);
    };
    let source = known(&transfer.from, shelf, &mut lost).await.map_err(Error::Source)?;
    let target = known(&transfer.to, shelf, &mut |_, _| {}).await.map_err(Error::Target)?;
    let put: Vec<(&String, u64)> = source
        .iter()
        .filter_map(|(name, (_, hash))| match target.get(name) {
            Some((_, there)) if there == hash => None,
            there => Some((name, there.map_or(0, |(version, _)| *version))),
        })
        .collect();
    let remove: Vec<(&String, u64)> = target
        .iter()
        .filter(|(name, _)| !source.contains_key(*name))
        // One that does not read is not gone: what was carried when it did is all that there is of it.
        .filter(|(name, _)| !layout::record(shelf, name).is_some_and(|path| unread.contains(&path)))
        .map(|(name, (version, _))| (name, *version))
        .collect();
    let changed = !put.is_empty() || !remove.is_empty();
    let put = put.into_iter().map(Ok);
    stream::iter(put)
        .try_for_each_concurrent(AT_ONCE, |(name, seen)| self::put(transfer, shelf, name, seen))
        .await?;
    let remove = remove.into_iter().map(Ok);
    stream::iter(remove)
        .try_for_each_concurrent(AT_ONCE, |(name, seen)| self::remove(transfer, shelf, name, seen))
        .await?;
    Ok(changed)
}

async fn known(
    storage: &Storage,
    shelf: Shelf,
    odd: &mut (dyn FnMut(String, String) + Send),
) -> std::result::Result<Known, storage::error::Error> {
    let mut known = Known::new();
    let mut visit = |found| match found {
        FoundRecord::Record(name, Record { version, json }) => {
            known.insert(name, (version, hasher::digest(Algorithm::Sha256, &json)));
        }
        FoundRecord::Odd { path, why } => odd(path, why),
    };
    storage.records.walk(shelf, &mut visit).await?;
    Ok(known)
}

async fn put(transfer: &Transfer, shelf: Shelf, name: &str, seen: u64) -> Result<()> {
    let Some(record) = transfer.from.records.get(shelf, name).await.map_err(Error::Source)? else {
        return Ok(()); // removed meanwhile: the next round sees it
    };
    let json = record.json;
    let written = transfer.to.records.put(shelf, name, json.clone(), seen).await.map_err(Error::Target)?;
    let Written::Done(version) = written else { return Err(crossed(shelf, name)) };
    if let Some(facts) = &transfer.facts {
        facts.metadata.accounts.keep(shelf, name, Record { version, json }).await?;
    }
    transfer.tally.records.add(1);
    Ok(())
}

async fn remove(transfer: &Transfer, shelf: Shelf, name: &str, seen: u64) -> Result<()> {
    if let Some(facts) = &transfer.facts {
        facts.metadata.accounts.forget(shelf, name).await?;
    }
    match transfer.to.records.remove(shelf, name, seen).await.map_err(Error::Target)? {
        Written::Done(_) => transfer.tally.records.add(1),
        Written::Stale => return Err(crossed(shelf, name)),
    }
    Ok(())
}

fn crossed(shelf: Shelf, name: &str) -> Error {
    Error::Crossed(format!("the record {}/{name}", shelf.as_str()))
}
