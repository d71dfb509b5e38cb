//! What a clock does for tokens: tells when they were used, and clears away those that are over. Each call does a
//! bounded amount of work.

use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::{commit, tokens};
use crate::auth::error::Result;
use crate::record::Shelf;
use std::sync::PoisonError;

const USES_BATCH: usize = 1000;

/// Tells the metadata which tokens were used. What could not be told is kept for the next call.
pub async fn flush_uses(directory: &Directory) -> Result<usize> {
    let uses = directory.uses.take();
    for (at, batch) in uses.chunks(USES_BATCH).enumerate() {
        if let Err(error) = directory.accounts.used(batch).await {
            directory.uses.put_back(&uses[at * USES_BATCH..]);
            return Err(error.into());
        }
    }
    Ok(uses.len())
}

/// Looks at the next `count` tokens, from where the last call ended, and clears away those whose time is over or whose
/// owner of ours is gone, disabled or at another epoch. Answers how many went.
pub async fn sweep(directory: &Directory, count: usize) -> Result<usize> {
    if directory.read_only.held().is_some() {
        return Ok(0);
    }
    let last = directory.swept.lock().unwrap_or_else(PoisonError::into_inner).take();
    let held = directory.memory().tokens().after(last.as_ref(), count);
    let end = held.last().map(|(id, _)| id.clone()).filter(|_| held.len() == count);
    *directory.swept.lock().unwrap_or_else(PoisonError::into_inner) = end;
    let now = directory.clock.unix_secs();
    let mut swept = 0;
    for (id, held) in held {
        if held.is_expired(now) || !tokens::holds(directory, &held.owner, held.epoch).await? {
            // What is dead stays dead, so nothing has to be held or looked at again.
            swept += usize::from(commit::erase(directory, Shelf::Tokens, &id).await?);
        }
    }
    Ok(swept)
}
