//! The rules of groups. What a group may do is in the grants and rules that name it; who is in it, in `membership.rs`.

use crate::acl::identity::AccountKind;
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::document::Document;
use crate::auth::accounts::form::{self, GroupChange, NewNamed};
use crate::auth::accounts::group::{Group, GroupSummary, Member};
use crate::auth::accounts::listing::{self, Filter, Listing};
use crate::auth::accounts::{alone, commit, name, names, removal};
use crate::auth::error::{Error, Result};
use crate::oci::page::Page;
use crate::record::Shelf;

/// A group with all its members.
pub async fn find(directory: &Directory, name: &str) -> Result<Option<Group>> {
    Ok(directory.find::<Group>(name).await?.filter(|group| !group.removing))
}

/// A page of groups; of those only whose name or description holds `filter`.
pub async fn list(directory: &Directory, page: &Page, filter: Option<&str>) -> Result<Listing<GroupSummary>> {
    let filter = Filter::new(filter)?;
    let pick = |group: Group| {
        let passes = !group.removing && filter.passes(&[&group.name, &group.description]);
        passes.then(|| GroupSummary::from(&group))
    };
    listing::scan(directory, page, pick).await
}

/// Makes a group with nobody in it.
pub async fn create(directory: &Directory, form: NewNamed) -> Result<Group> {
    name::account(&form.name)?;
    form::description(Some(&form.description))?;
    let _alone = directory.locks.group(&form.name).await;
    let now = directory.clock.unix_secs();
    let group = Group {
        name: form.name,
        description: form.description,
        members: Vec::new(),
        created: now,
        changed: now,
        removing: false,
    };
    let make = async {
        names::vacate_group(directory, &group.name).await?;
        match commit::put(directory, &group, 0).await {
            Err(Error::Stale) => Err(Error::Exists("group")),
            put => put,
        }
    };
    alone::group(directory, &group.name, make).await?;
    Ok(group)
}

/// Changes a group, but not who is in it.
pub async fn change(directory: &Directory, name: &str, form: GroupChange) -> Result<Group> {
    form::description(form.description.as_deref())?;
    let _alone = directory.locks.group(name).await;
    let (mut group, seen) = standing(directory, name).await?;
    if let Some(description) = form.description.filter(|text| *text != group.description) {
        group.description = description;
        group.changed = directory.clock.unix_secs();
        commit::put(directory, &group, seen).await?;
    }
    Ok(group)
}

/// Removes a group with its grants.
pub async fn remove(directory: &Directory, name: &str) -> Result<()> {
    if !Group::may_be(name) {
        return Err(Error::Absent("group"));
    }
    let _alone = directory.locks.group(name).await;
    let remove = async {
        if !directory.memory().is_leaving(Shelf::Groups, name) {
            let (mut group, seen) = standing(directory, name).await?;
            group.removing = true;
            group.members.clear();
            commit::put(directory, &group, seen).await?;
        }
        removal::finish(directory, Shelf::Groups, name).await
    };
    alone::group(directory, name, remove).await
}

/// Reads a member as people write it: `user:NAME`, `service-account:NAME`, or the name alone: of a service account if we
/// have one of this name, else of a user.
pub fn member(directory: &Directory, text: &str) -> Result<Member> {
    if text.contains(':') {
        return text.parse();
    }
    let known = directory.memory().account_like(text);
    match known {
        Some((Shelf::ServiceAccounts, name)) if *name == *text => {
            Member::new(AccountKind::ServiceAccount, text)
        }
        _ => Member::new(AccountKind::User, text),
    }
}

async fn standing(directory: &Directory, name: &str) -> Result<(Group, u64)> {
    let found = directory.current::<Group>(name).await?;
    found.filter(|(group, _)| !group.removing).ok_or(Error::Absent("group"))
}
