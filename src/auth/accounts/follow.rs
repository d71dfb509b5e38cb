//! What other processes change of the accounts: each fact is read again where this process remembers it. Without this a
//! grant that was taken away elsewhere would go on here.

use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::load;
use crate::auth::error::Result;
use crate::record::Shelf;

/// Reads one fact again.
pub async fn one(directory: &Directory, shelf: Shelf, name: &str) -> Result<()> {
    directory.look_again(shelf, name).await
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
