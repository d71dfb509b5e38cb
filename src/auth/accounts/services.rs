//! The rules of service accounts. A secret of one is a token; two may live at once, so that the machines can be given
//! the new one before the old one goes.

use crate::acl::identity::AccountKind;
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::document::Document;
use crate::auth::accounts::form::{self, NewNamed, NewToken, ServiceChange};
use crate::auth::accounts::listing::{self, Filter, Listing};
use crate::auth::accounts::owner::Owner;
use crate::auth::accounts::service::{ServiceAccount, ServiceProfile};
use crate::auth::accounts::token::{Minted, TokenKind, TokenView};
use crate::auth::accounts::{alone, commit, mint, name, names, random, removal, tokens};
use crate::auth::authenticator::UsedToken;
use crate::auth::error::{Error, Result};
use crate::oci::page::Page;
use crate::record::Shelf;

/// A service account.
pub async fn find(directory: &Directory, name: &str) -> Result<Option<ServiceProfile>> {
    let found = directory.find::<ServiceAccount>(name).await?;
    Ok(found.filter(|account| !account.removing).as_ref().map(ServiceProfile::from))
}

/// A page of service accounts; of those only whose name or description holds `filter`.
pub async fn list(
    directory: &Directory,
    page: &Page,
    filter: Option<&str>,
) -> Result<Listing<ServiceProfile>> {
    let filter = Filter::new(filter)?;
    let pick = |account: ServiceAccount| {
        let passes = !account.removing && filter.passes(&[&account.name, &account.description]);
        passes.then(|| ServiceProfile::from(&account))
    };
    listing::scan(directory, page, pick).await
}

/// Makes a service account without a secret.
pub async fn create(directory: &Directory, form: NewNamed) -> Result<ServiceProfile> {
    name::service(&form.name)?;
    form::description(Some(&form.description))?;
    let _alone = directory.locks.account(&form.name).await;
    let now = directory.clock.unix_secs();
    let account = ServiceAccount {
        name: form.name,
        description: form.description,
        disabled: false,
        epoch: random::epoch()?,
        created: now,
        changed: now,
        removing: false,
    };
    let make = async {
        names::vacate(directory, &account.name).await?;
        match commit::put(directory, &account, 0).await {
            Ok(()) => Ok(ServiceProfile::from(&account)),
            Err(Error::Stale) => Err(Error::Exists("service account")),
            Err(error) => Err(error),
        }
    };
    alone::account(directory, &account.name, make).await
}

/// Changes a service account. Disabling it ends its secrets.
pub async fn change(directory: &Directory, name: &str, form: ServiceChange) -> Result<ServiceProfile> {
    form::description(form.description.as_deref())?;
    let _alone = directory.locks.account(name).await;
    edit_alone(directory, name, |account| {
        if form.disabled == Some(true) && !account.disabled {
            account.move_epoch();
        }
        account.disabled = form.disabled.unwrap_or(account.disabled);
        if let Some(description) = form.description {
            account.description = description;
        }
    })
    .await
}

/// Removes a service account with its secrets, memberships and grants.
pub async fn remove(directory: &Directory, name: &str) -> Result<()> {
    if !ServiceAccount::may_be(name) {
        return Err(Error::Absent("service account"));
    }
    let _alone = directory.locks.account(name).await;
    let remove = async {
        if !directory.memory().is_leaving(Shelf::ServiceAccounts, name) {
            edit_alone(directory, name, |account| {
                account.removing = true;
                account.disabled = true;
                account.move_epoch();
            })
            .await?;
        }
        removal::finish(directory, Shelf::ServiceAccounts, name).await
    };
    alone::account(directory, name, remove).await
}

/// The secrets that live.
pub async fn secrets(directory: &Directory, name: &str) -> Result<Vec<TokenView>> {
    if find(directory, name).await?.is_none() {
        return Err(Error::Absent("service account"));
    }
    tokens::list(directory, &owner(name), Some(TokenKind::Service)).await
}

/// Makes a secret, if fewer than two live. `by`: the token that the maker used in place of a password.
pub async fn add_secret(
    directory: &Directory,
    name: &str,
    form: NewToken,
    by: Option<&UsedToken>,
) -> Result<Minted> {
    mint::service(directory, name, form, by).await
}

/// Ends a secret.
pub async fn revoke_secret(directory: &Directory, name: &str, id: &str) -> Result<()> {
    tokens::revoke(directory, &owner(name), id).await
}

fn owner(name: &str) -> Owner {
    Owner::own(AccountKind::ServiceAccount, name)
}

async fn edit_alone(
    directory: &Directory,
    name: &str,
    edit: impl FnOnce(&mut ServiceAccount) + Send,
) -> Result<ServiceProfile> {
    let found = directory.current::<ServiceAccount>(name).await?;
    let standing = found.filter(|(account, _)| !account.removing);
    let (before, seen) = standing.ok_or(Error::Absent("service account"))?;
    let mut account = before.clone();
    edit(&mut account);
    if account != before {
        account.changed = directory.clock.unix_secs();
        commit::put(directory, &account, seen).await?;
    }
    Ok(ServiceProfile::from(&account))
}
