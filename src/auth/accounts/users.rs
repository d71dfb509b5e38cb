//! The rules of users. There is always an administrator who can log in, once there was one; and whatever ends somebody's
//! rights to log in ends all their tokens.

use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::document::Document;
use crate::auth::accounts::form::{NewUser, OwnProfile, UserChange};
use crate::auth::accounts::listing::{self, Filter, Listing};
use crate::auth::accounts::user::{Profile, User};
use crate::auth::accounts::{alone, commit, names, random, removal};
use crate::auth::error::{Error, Result};
use crate::oci::page::Page;
use crate::record::Shelf;
use crate::secret::Secret;
use crate::storage::records::FoundRecord;

/// The name of the administrator of the first start, where no other is chosen.
pub const INITIAL_ADMIN: &str = "admin";

/// A user as others may see them.
pub async fn find(directory: &Directory, name: &str) -> Result<Option<Profile>> {
    Ok(with_password(directory, name).await?.as_ref().map(Profile::from))
}

/// A user with the hash of the password: only for whoever checks one.
pub async fn with_password(directory: &Directory, name: &str) -> Result<Option<User>> {
    Ok(directory.find::<User>(name).await?.filter(|user| !user.removing))
}

/// A page of users; of those only whose name, e-mail address, first or last name holds `filter`.
pub async fn list(directory: &Directory, page: &Page, filter: Option<&str>) -> Result<Listing<Profile>> {
    let filter = Filter::new(filter)?;
    let pick = |user: User| {
        let texts = [&*user.name, &user.email, &user.first_name, &user.last_name];
        (!user.removing && filter.passes(&texts)).then(|| Profile::from(&user))
    };
    listing::scan(directory, page, pick).await
}

/// Makes a user. Without the hash of a password nobody can log in as that one yet.
pub async fn create(directory: &Directory, form: NewUser, password: Option<Secret>) -> Result<Profile> {
    form.check()?;
    make(directory, form, password, false).await
}

/// Changes what an administrator may change.
pub async fn change(directory: &Directory, name: &str, form: UserChange) -> Result<Profile> {
    form.check()?;
    edit(directory, name, |user| apply(user, form)).await
}

/// Changes what users may change of themselves.
pub async fn change_own(directory: &Directory, name: &str, form: OwnProfile) -> Result<Profile> {
    change(directory, name, form.into()).await
}

/// Disables a user, which ends all tokens, or lets them log in again.
pub async fn set_disabled(directory: &Directory, name: &str, disabled: bool) -> Result<Profile> {
    change(directory, name, UserChange { disabled: Some(disabled), ..UserChange::default() }).await
}

/// Gives a user another password, which ends all tokens. `initial`: it was made by us, at the first start. Answers
/// whether the one before was.
pub async fn set_password_hash(
    directory: &Directory,
    name: &str,
    hash: Secret,
    initial: bool,
) -> Result<bool> {
    replace_password(directory, name, (hash, initial), None).await
}

/// The same for one's own password: `Stale` if the account has moved on since it was `epoch`, so that whoever knows the
/// old password does not undo what an administrator has just set.
pub async fn change_own_password(
    directory: &Directory,
    name: &str,
    hash: Secret,
    epoch: u64,
) -> Result<bool> {
    replace_password(directory, name, (hash, false), Some(epoch)).await
}

async fn replace_password(
    directory: &Directory,
    name: &str,
    (hash, initial): (Secret, bool),
    seen: Option<u64>,
) -> Result<bool> {
    let (mut was_initial, mut stale) = (false, false);
    edit(directory, name, |user| {
        stale = seen.is_some_and(|epoch| epoch != user.epoch);
        if stale {
            return;
        }
        was_initial = user.initial;
        user.initial = initial;
        user.password = Some(hash);
        user.move_epoch();
    })
    .await?;
    if stale { Err(Error::Stale) } else { Ok(was_initial) }
}

/// Keeps another hash of the same password, as at a login that found an old kind of hash. Ends nothing; and does nothing
/// if the user has another password by now, or is gone.
pub async fn rehash(directory: &Directory, name: &str, old: &Secret, new: Secret) -> Result<()> {
    let edited = edit(directory, name, |user| {
        if user.password.as_ref() == Some(old) {
            user.password = Some(new);
        }
    });
    match edited.await {
        Ok(_) | Err(Error::Stale | Error::Absent(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Ends all tokens of a user.
pub async fn log_out_everywhere(directory: &Directory, name: &str) -> Result<()> {
    edit(directory, name, User::move_epoch).await?;
    Ok(())
}

/// Removes a user with their tokens, memberships and grants.
pub async fn remove(directory: &Directory, name: &str) -> Result<()> {
    if !User::may_be(name) {
        return Err(Error::Absent("user"));
    }
    let _alone = directory.locks.account(name).await;
    let remove = async {
        if !directory.memory().is_leaving(Shelf::Users, name) {
            edit_alone(directory, name, |user| {
                user.removing = true;
                user.disabled = true;
                user.password = None;
                user.move_epoch();
            })
            .await?;
        }
        removal::finish(directory, Shelf::Users, name).await
    };
    alone::account(directory, name, remove).await
}

/// Whether there has never been a user. Asks storage too, as metadata may be lost.
pub async fn is_first_start(directory: &Directory) -> Result<bool> {
    if directory.memory().has_users() {
        return Ok(false);
    }
    if directory.records.is_empty().await? {
        return Ok(true);
    }
    let mut found = false;
    directory.records.walk(Shelf::Users, &mut |_: FoundRecord| found = true).await?;
    Ok(!found)
}

/// Makes the administrator of the first start. Refused if there is any user. `initial`: the password was made by us.
pub async fn create_initial_admin(
    directory: &Directory,
    name: &str,
    hash: Secret,
    initial: bool,
) -> Result<Profile> {
    if !is_first_start(directory).await? {
        return Err(Error::Refused(
            "there are users already; the first administrator is made but once".into(),
        ));
    }
    let form = NewUser { name: name.into(), admin: true, ..NewUser::default() };
    form.check()?;
    make(directory, form, Some(hash), initial).await
}

async fn make(
    directory: &Directory,
    form: NewUser,
    password: Option<Secret>,
    initial: bool,
) -> Result<Profile> {
    let _alone = directory.locks.account(&form.name).await;
    let now = directory.clock.unix_secs();
    let user = User {
        name: form.name,
        email: form.email,
        first_name: form.first_name,
        last_name: form.last_name,
        admin: form.admin,
        disabled: false,
        password,
        epoch: random::epoch()?,
        created: now,
        changed: now,
        initial,
        removing: false,
    };
    let make = async {
        names::vacate(directory, &user.name).await?;
        match commit::put(directory, &user, 0).await {
            Ok(()) => Ok(Profile::from(&user)),
            Err(Error::Stale) => Err(Error::Exists("user")),
            Err(error) => Err(error),
        }
    };
    alone::account(directory, &user.name, make).await
}

fn apply(user: &mut User, form: UserChange) {
    let UserChange { email, first_name, last_name, admin, disabled } = form;
    user.email = email.unwrap_or(std::mem::take(&mut user.email));
    user.first_name = first_name.unwrap_or(std::mem::take(&mut user.first_name));
    user.last_name = last_name.unwrap_or(std::mem::take(&mut user.last_name));
    user.admin = admin.unwrap_or(user.admin);
    if disabled == Some(true) && !user.disabled {
        user.move_epoch();
    }
    user.disabled = disabled.unwrap_or(user.disabled);
}

async fn edit(directory: &Directory, name: &str, edit: impl FnOnce(&mut User) + Send) -> Result<Profile> {
    let _alone = directory.locks.account(name).await;
    edit_alone(directory, name, edit).await
}

async fn edit_alone(
    directory: &Directory,
    name: &str,
    edit: impl FnOnce(&mut User) + Send,
) -> Result<Profile> {
    let found = directory.current::<User>(name).await?;
    let (before, seen) = found.filter(|(user, _)| !user.removing).ok_or(Error::Absent("user"))?;
    let mut user = before.clone();
    edit(&mut user);
    if user == before {
        return Ok(Profile::from(&user));
    }
    user.changed = directory.clock.unix_secs();
    if before.is_active_admin() && !user.is_active_admin() {
        // Held until it is done: two who go at once would each count on the other.
        let _admins = directory.locks.admins().await;
        let put = async {
            another_admin(directory, name).await?;
            commit::put(directory, &user, seen).await
        };
        alone::admins(directory, put).await?;
    } else {
        commit::put(directory, &user, seen).await?;
    }
    Ok(Profile::from(&user))
}

/// Refuses if nobody else keeps the administration open. What memory says is looked at in storage.
async fn another_admin(directory: &Directory, name: &str) -> Result<()> {
    let others = directory.memory().admins();
    for other in others.iter().filter(|other| ***other != *name) {
        if directory.current::<User>(other).await?.is_some_and(|(user, _)| user.is_active_admin()) {
            return Ok(());
        }
    }
    Err(Error::Refused(format!("{name} is the last administrator who can log in")))
}
