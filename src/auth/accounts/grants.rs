//! The rules of grants. Each stands alone and is never changed, only made and removed.

use crate::acl::grant::Subject;
use crate::auth::accounts::commit;
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::document::Document;
use crate::auth::accounts::form::NewGrant;
use crate::auth::accounts::grant::StoredGrant;
use crate::auth::accounts::listing::{ENTRIES_MAX, Listing};
use crate::auth::accounts::random;
use crate::auth::error::{Error, Result};
use crate::oci::page::Page;
use crate::record::Shelf;

/// Most grants: all of them are kept in memory, and made ready again with each change.
pub const GRANTS_MAX: usize = 50_000;

/// A grant.
pub fn find(directory: &Directory, id: &str) -> Option<StoredGrant> {
    directory.memory().grants().get(id).map(|grant| (**grant).clone())
}

/// A page of the grants of a subject, or of all.
pub fn list(directory: &Directory, page: &Page, subject: Option<&Subject>) -> Listing<StoredGrant> {
    let wanted = page.entries_max.min(ENTRIES_MAX);
    let memory = directory.memory();
    let mut following = memory.grants_after(subject, page.last.as_deref());
    let entries: Vec<StoredGrant> =
        following.by_ref().take(wanted).map(|grant| StoredGrant::clone(grant)).collect();
    let more = wanted > 0 && following.next().is_some();
    let next = entries.last().filter(|_| more).map(|grant| grant.id.clone());
    Listing { entries, next }
}

/// Gives something to somebody. `by`: who gives it.
pub async fn add(directory: &Directory, form: NewGrant, by: &str) -> Result<StoredGrant> {
    form.check()?;
    let NewGrant { subject, repository, mut actions } = form;
    actions.sort_unstable();
    actions.dedup();
    let grant = StoredGrant {
        id: random::id()?,
        subject,
        repository,
        actions,
        created: directory.clock.unix_secs(),
        by: by.to_owned(),
    };
    {
        let memory = directory.memory();
        if memory.grants().len() >= GRANTS_MAX {
            return Err(Error::Refused(format!("there are {GRANTS_MAX} grants, and there cannot be more")));
        }
        let same =
            |other: &StoredGrant| other.repository == grant.repository && other.actions == grant.actions;
        if memory.grants_after(Some(&grant.subject), None).any(|other| same(other)) {
            return Err(Error::Exists("grant"));
        }
    }
    commit::put(directory, &grant, 0).await?;
    Ok(grant)
}

/// Takes a grant away.
pub async fn remove(directory: &Directory, id: &str) -> Result<()> {
    if !StoredGrant::may_be(id) || !commit::erase(directory, Shelf::Grants, id).await? {
        return Err(Error::Absent("grant"));
    }
    Ok(())
}
