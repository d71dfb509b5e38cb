//! One round of a move: everything that the source holds is looked at, and the target made to hold the same. A round that
//! changes nothing proves that it does.

use crate::registry::rebuild;
use crate::registry::transfer::error::{Error, Result};
use crate::registry::transfer::names;
use crate::registry::transfer::parts::Transfer;
use crate::registry::transfer::records;
use crate::storage::links::FoundRepository;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

/// Repositories that are compared side by side.
const REPOSITORIES_AT_ONCE: usize = 8;

/// Does one round. Answers whether anything had to be changed in the target.
pub async fn round(transfer: &Transfer) -> Result<bool> {
    let tally = &transfer.tally;
    tally.repositories.reset();
    tally.odd.forget(); // what is still odd is met again
    let changed = AtomicBool::new(records::all(transfer).await?);
    let mut held = HashSet::new();
    for found in transfer.from.links.repositories().await.map_err(Error::Source)? {
        match found {
            FoundRepository::Repository(repository) => drop(held.insert(repository)),
            FoundRepository::Odd { path, why } => tally.odd.tell(path, why),
        }
    }
    stream::iter(&held)
        .map(Ok::<_, Error>)
        .try_for_each_concurrent(REPOSITORIES_AT_ONCE, |repository| {
            let changed = &changed;
            async move {
                changed.fetch_or(names::repository(transfer, repository).await?, Ordering::Relaxed);
                tally.repositories.add(1);
                Ok(())
            }
        })
        .await?;
    for found in transfer.to.links.repositories().await.map_err(Error::Target)? {
        if let FoundRepository::Repository(repository) = found
            && !held.contains(&repository)
        {
            changed.fetch_or(names::gone(transfer, &repository).await?, Ordering::Relaxed);
        }
    }
    Ok(changed.into_inner())
}

/// Makes all facts in the target from what stands there, and none of those of an earlier run, which may have been cut off
/// anywhere.
pub async fn facts(transfer: &Transfer) -> Result<()> {
    if let Some(facts) = &transfer.facts {
        facts.metadata.completeness.clear().await?;
        rebuild::rebuild(facts, &|_, _| {}).await?;
    }
    Ok(())
}
