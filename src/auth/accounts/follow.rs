//! What other processes change of the accounts: each fact is read again where this process remembers it. Without this a
//! grant that was taken away elsewhere would go on here.

use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::load;
use crate::auth::error::Result;
use crate::record::Shelf;

/// Reads one fact again. Also one that this process has changed itself: that costs a look, and does no harm.
pub async fn one(directory: &Directory, shelf: Shelf, name: &str) -> Result<()> {
    // A change of ours that is under way ends first, or what it has just done could be undone in memory.
    let _alone = directory.locks.record(shelf, name).await;
    let record = directory.accounts.find(shelf, name).await?;
    directory.absorb(shelf, name, record.as_ref());
    Ok(())
}

/// Reads all facts again, while others go on asking and changing.
pub async fn all(directory: &Directory) -> Result<()> {
    directory.note_changes();
    let memory = load::read_all(directory).await?;
    // What was read may be older than what has changed here since.
    for (shelf, name) in directory.replace_noting(memory) {
        one(directory, shelf, &name).await?;
    }
    Ok(())
}
