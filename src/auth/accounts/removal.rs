//! Removing what other documents hang on. First it is marked, which takes away all that it could do; then what hangs on
//! it goes, and itself last. A removal that was cut short is brought to its end later: nobody who gets the same name
//! inherits a grant, a group or a token.

use crate::acl::grant::Subject;
use crate::acl::identity::AccountKind;
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::group::Member;
use crate::auth::accounts::membership;
use crate::auth::accounts::owner::Owner;
use crate::auth::accounts::{alone, commit};
use crate::auth::error::{Error, Result};
use crate::record::Shelf;

/// Brings the removal of a marked document to its end. The caller has its lock, and its turn among other processes: what
/// others have given it before is known here, and goes too.
pub async fn finish(directory: &Directory, shelf: Shelf, name: &str) -> Result<()> {
    match shelf {
        Shelf::Users => account(directory, AccountKind::User, name).await?,
        Shelf::ServiceAccounts => account(directory, AccountKind::ServiceAccount, name).await?,
        Shelf::Groups => grants(directory, &Subject::Group(name.to_owned())).await?,
        Shelf::Tokens | Shelf::Grants | Shelf::Marks => {}
    }
    commit::erase(directory, shelf, name).await?;
    Ok(())
}

/// Brings all removals to their end that were cut short. What cannot be ended now is told, and tried again later.
pub async fn finish_all(directory: &Directory) -> usize {
    let leaving = directory.memory().leaving();
    let mut finished = 0;
    for (shelf, name) in leaving {
        let _alone = match shelf {
            Shelf::Groups => directory.locks.group(&name).await,
            _ => directory.locks.account(&name).await,
        };
        let end = async {
            // Somebody may have ended it meanwhile, and made a new one of the same name.
            if directory.memory().is_leaving(shelf, &name) {
                finish(directory, shelf, &name).await?;
                return Ok(true);
            }
            Ok(false)
        };
        let ended = match shelf {
            Shelf::Groups => alone::group(directory, &name, end).await,
            _ => alone::account(directory, &name, end).await,
        };
        match ended {
            Ok(ended) => finished += usize::from(ended),
            Err(error) => {
                tracing::error!(shelf = shelf.as_str(), name, %error, "a removal could not be brought to its end");
            }
        }
    }
    finished
}

/// Ends all tokens of an account of any source. Its lock is held by the caller.
pub async fn tokens(directory: &Directory, owner: &Owner) -> Result<()> {
    let held = directory.memory().tokens().of(owner);
    for (id, _) in held {
        commit::erase(directory, Shelf::Tokens, &id).await?;
    }
    Ok(())
}

async fn account(directory: &Directory, kind: AccountKind, name: &str) -> Result<()> {
    tokens(directory, &Owner::own(kind, name)).await?;
    let member = Member::new(kind, name)?;
    let groups = directory.memory().groups_of(&member);
    for group in groups {
        match membership::remove(directory, &group, &member).await {
            Ok(()) | Err(Error::Absent(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let subject = match kind {
        AccountKind::ServiceAccount => Subject::ServiceAccount(name.to_owned()),
        _ => Subject::User(name.to_owned()),
    };
    grants(directory, &subject).await
}

async fn grants(directory: &Directory, subject: &Subject) -> Result<()> {
    let ids: Vec<String> =
        directory.memory().grants_after(Some(subject), None).map(|grant| grant.id.clone()).collect();
    for id in ids {
        commit::erase(directory, Shelf::Grants, &id).await?;
    }
    Ok(())
}
