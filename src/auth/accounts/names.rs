//! Whether a name may be given to a new account or group. Users and service accounts share their names, so that
//! `account` in a rule means one of them; names that differ only by case are not given twice.

use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::removal;
use crate::auth::error::{Error, Result};
use crate::record::Shelf;

/// Refuses a name that an account has. One that is only waiting to be gone goes now. The account's lock is held by
/// the caller.
pub async fn vacate(directory: &Directory, name: &str) -> Result<()> {
    let taken = directory.memory().account_like(name);
    let Some((shelf, like)) = taken else { return Ok(()) };
    if directory.memory().is_leaving(shelf, &like) {
        return removal::finish(directory, shelf, &like).await;
    }
    Err(Error::Exists(if shelf == Shelf::Users { "user" } else { "service account" }))
}

/// Likewise of groups.
pub async fn vacate_group(directory: &Directory, name: &str) -> Result<()> {
    let taken = directory.memory().group_like(name);
    let Some(like) = taken else { return Ok(()) };
    if directory.memory().is_leaving(Shelf::Groups, &like) {
        return removal::finish(directory, Shelf::Groups, &like).await;
    }
    Err(Error::Exists("group"))
}
