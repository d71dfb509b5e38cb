//! What other processes change of the accounts: each fact is read again where this process remembers it. Without this a
//! grant that was taken away elsewhere would go on here.

use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::load;
use crate::auth::error::Result;
use crate::metadata::news::Newspaper;
use crate::record::Shelf;
use std::time::Duration;

/// How long a change of ours that is under way keeps us waiting.
const PATIENCE: Duration = Duration::from_millis(100);

/// Reads one fact again. Also one that this process has changed itself: that costs a look, and does no harm. False: a
/// change of ours is under way, and it has to be read later.
pub async fn one(directory: &Directory, newspaper: &dyn Newspaper, shelf: Shelf, name: &str) -> Result<bool> {
    // That change ends first, or what it has just done could be undone in memory.
    let alone = tokio::time::timeout(PATIENCE, directory.locks.record(shelf, name)).await;
    let Ok(_alone) = alone else { return Ok(false) };
    let record = newspaper.look_up(shelf, name).await?;
    directory.absorb(shelf, name, record.as_ref());
    Ok(true)
}

/// Reads all facts again, while others go on asking and changing. Answers which have changed here meanwhile: what was
/// read of them may be older than that.
pub async fn all(directory: &Directory, newspaper: &dyn Newspaper) -> Result<Vec<(Shelf, String)>> {
    directory.note_changes();
    let memory = load::read_all(directory, Some(newspaper)).await?;
    Ok(directory.replace_noting(memory))
}
