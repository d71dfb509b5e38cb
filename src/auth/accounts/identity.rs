//! What an account of ours is now, without a password: asked at each request. As long as nothing changed it is answered
//! from memory.

use crate::acl::identity::{AccountKind, Identity};
use crate::auth::accounts::directory::{Directory, Known};
use crate::auth::accounts::owner::SOURCE;
use crate::auth::accounts::service::ServiceAccount;
use crate::auth::accounts::user::User;
use crate::auth::authenticator::Login;
use crate::auth::error::Result;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An account of ours as it stands. `None`: there is none, or it is disabled.
pub async fn identity(directory: &Directory, kind: AccountKind, name: &str) -> Result<Option<Arc<Login>>> {
    let cache = match kind {
        AccountKind::Anonymous => return Ok(None),
        AccountKind::User => &directory.users,
        AccountKind::ServiceAccount => &directory.services,
    };
    // Before anything is read: a change that comes meanwhile then makes what was read old.
    let generation = directory.generation();
    if let Some(known) = cache.get(name).filter(|known| known.generation == generation) {
        return Ok(Some(known.value));
    }
    let standing = match kind {
        AccountKind::Anonymous => None,
        AccountKind::User => standing_user(directory, name).await?,
        AccountKind::ServiceAccount => standing_service(directory, name).await?,
    };
    let Some((admin, epoch)) = standing else {
        cache.invalidate(name);
        return Ok(None);
    };
    let groups = directory.groups_of(kind, name);
    let identity = Identity { kind, name: name.to_owned(), admin, groups, labels: BTreeMap::new() };
    let value = Arc::new(Login { identity, source: SOURCE, epoch, token: None });
    cache.insert(name.to_owned(), Known { generation, value: value.clone() });
    Ok(Some(value))
}

async fn standing_user(directory: &Directory, name: &str) -> Result<Option<(bool, u64)>> {
    let user = directory.find::<User>(name).await?;
    Ok(user.filter(|user| !user.disabled && !user.removing).map(|user| (user.admin, user.epoch)))
}

async fn standing_service(directory: &Directory, name: &str) -> Result<Option<(bool, u64)>> {
    let account = directory.find::<ServiceAccount>(name).await?;
    Ok(account.filter(|account| !account.disabled && !account.removing).map(|account| (false, account.epoch)))
}
