//! What happens before anybody asks, and now and then after: what a crash left half done is settled, and what is always
//! at hand is read.

use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::document::Document;
use crate::auth::accounts::grant::StoredGrant;
use crate::auth::accounts::group::Group;
use crate::auth::accounts::memory::Memory;
use crate::auth::accounts::service::ServiceAccount;
use crate::auth::accounts::token::Token;
use crate::auth::accounts::user::User;
use crate::auth::accounts::{commit, removal};
use crate::auth::error::Result;
use crate::metadata::news::Newspaper;
use crate::oci::page::Page;
use crate::record::Shelf;
use std::collections::HashSet;

/// Names that are settled in one go.
const PENDING_AT_ONCE: usize = 1024;
/// Settles what the last run left half done, and reads what is always at hand. Before anybody changes anything.
pub async fn load(directory: &Directory) -> Result<()> {
    let mut unsettled = HashSet::new();
    loop {
        let known = unsettled.len();
        if settle_some(directory, &mut unsettled).await? == 0 && unsettled.len() == known {
            break;
        }
    }
    directory.replace(read_all(directory, None).await?);
    removal::finish_all(directory).await;
    Ok(())
}

/// What is always at hand, as the metadata tells it now; ahead of requests, if it is asked through the newspaper.
pub async fn read_all(directory: &Directory, newspaper: Option<&dyn Newspaper>) -> Result<Memory> {
    let mut memory = Memory::default();
    for shelf in Shelf::ALL {
        read(directory, newspaper, shelf, &mut memory).await?;
    }
    Ok(memory)
}

/// Settles changes that processes left half done which are no more. Answers how many.
pub async fn settle(directory: &Directory) -> Result<usize> {
    settle_some(directory, &mut HashSet::new()).await
}

/// Brings to its end what failed half way: for a clock to call. Answers how much that was.
pub async fn mend(directory: &Directory) -> Result<usize> {
    let settled = settle_some(directory, &mut HashSet::new()).await?;
    Ok(settled + removal::finish_all(directory).await)
}

/// Settles names that are pending and not among these, and adds to them what cannot be settled. That is told, and
/// stays: one bad document must not keep the others from being served. Answers how many were settled.
async fn settle_some(directory: &Directory, unsettled: &mut HashSet<(Shelf, String)>) -> Result<usize> {
    let mut settled = 0;
    let mut names = directory.accounts.pending(PENDING_AT_ONCE + unsettled.len()).await?;
    // An intent may have ended, and only the answer been lost.
    names.extend(directory.unsettled());
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !unsettled.contains(name));
    for (shelf, name) in names {
        match commit::settle(directory, shelf, &name).await {
            Ok(()) => settled += 1,
            Err(error) => {
                tracing::error!(shelf = shelf.as_str(), name, %error, "storage and metadata may differ");
                unsettled.insert((shelf, name));
            }
        }
    }
    Ok(settled)
}

async fn read(
    directory: &Directory,
    newspaper: Option<&dyn Newspaper>,
    shelf: Shelf,
    memory: &mut Memory,
) -> Result<()> {
    let entries_max = match shelf {
        Shelf::Users => User::BATCH,
        Shelf::Groups => Group::BATCH,
        Shelf::ServiceAccounts => ServiceAccount::BATCH,
        Shelf::Tokens => Token::BATCH,
        Shelf::Grants => StoredGrant::BATCH,
        Shelf::Marks => return Ok(()),
    };
    let mut last = None;
    loop {
        let page = Page { entries_max, last };
        let listed = match newspaper {
            Some(newspaper) => newspaper.leaf_through(shelf, &page).await?,
            None => directory.accounts.list(shelf, &page).await?,
        };
        for (name, record) in &listed.entries {
            memory.apply(shelf, name, Some(record));
        }
        last = listed.entries.into_iter().next_back().map(|(name, _)| name);
        if !listed.more || last.is_none() {
            return Ok(());
        }
    }
}
