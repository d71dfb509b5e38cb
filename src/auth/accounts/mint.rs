//! Making tokens: who may make which, how many live at once, and for how long. A token never gives its maker more than
//! they came with.

use crate::acl::identity::AccountKind;
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::form::NewToken;
use crate::auth::accounts::identity::identity;
use crate::auth::accounts::index::Held;
use crate::auth::accounts::owner::Owner;
use crate::auth::accounts::token::{Minted, Token, TokenKind, TokenView};
use crate::auth::accounts::{commit, token_text, tokens};
use crate::auth::authenticator::{Login, UsedToken};
use crate::auth::error::{Error, Result};
use crate::record::Shelf;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Personal access tokens of one owner that live at once.
pub const PERSONAL_MAX: usize = 100;
/// Secrets of one service account that live at once: one in use, and one that takes its place.
pub const SECRETS_MAX: usize = 2;
/// Refresh tokens of one owner that live at once. One more ends the one that was not used for the longest time.
pub const REFRESH_MAX: usize = 1000;
/// How long a personal access token lives if its maker does not say.
pub const PERSONAL_LIFETIME_SECS: u64 = 90 * 86_400;
/// How long one may live.
pub const PERSONAL_LIFETIME_SECS_MAX: u64 = 366 * 86_400;
/// How long a secret or a refresh token may live that does not live for ever.
pub const LIFETIME_SECS_MAX: u64 = 10 * 366 * 86_400;

/// Most bytes of what is remembered of a login.
const REMEMBERED_BYTES_MAX: usize = 64 << 10;
const CLIENT_CHARS_MAX: usize = 64;
/// Dead tokens that are cleared away when one is made; the sweep takes the others.
const CLEARED_MAX: usize = 8;

/// What the owner's source tells only at a login: kept with the token, for when it speaks for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Groups that the source knows. Not ours: those are asked each time.
    pub groups: Vec<String>,
    /// Labels, likewise.
    pub labels: BTreeMap<String, Vec<String>>,
}

/// A refresh token to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRefresh {
    /// How the program that asks calls itself. Taken as far as it is printable.
    pub client: String,
    /// How long it lives. `None`: until it ends otherwise.
    pub lifetime_secs: Option<u64>,
    /// What the source told at the login.
    pub remembered: Remembered,
}

struct Draft {
    owner: Owner,
    kind: TokenKind,
    epoch: u64,
    form: NewToken,
    expires: Option<u64>,
    client: String,
    remembered: Remembered,
}

/// Makes a personal access token of whoever logged in.
pub async fn personal(
    directory: &Directory,
    login: &Login,
    form: NewToken,
    remembered: Remembered,
) -> Result<Minted> {
    form.check()?;
    if login.identity.kind != AccountKind::User {
        return Err(Error::Refused("only a user has personal access tokens".into()));
    }
    let by = maker(directory, login.token.as_ref())?;
    let now = directory.clock.unix_secs();
    let lifetime =
        lifetime(Some(form.lifetime_secs.unwrap_or(PERSONAL_LIFETIME_SECS)), PERSONAL_LIFETIME_SECS_MAX)?;
    let mut expires = lifetime.map(|secs| now.saturating_add(secs));
    // A token that could outlive the one it was made with would make the end of that one worthless.
    if let Some(end) = by.filter(|held| held.kind != TokenKind::Refresh).and_then(|held| held.expires) {
        if form.lifetime_secs.is_some() && expires.is_none_or(|expires| expires > end) {
            return Err(Error::Refused("a token ends no later than the one that it is made with".into()));
        }
        expires = expires.map(|expires| expires.min(end));
    }
    let owner = Owner::of(login);
    let _alone = directory.locks.account(&owner.name).await;
    stands(directory, &owner, login.epoch).await?;
    let living = living(directory, &owner, login.epoch, TokenKind::Personal).await?;
    if living.len() >= PERSONAL_MAX {
        return Err(Error::Refused(format!("you have {PERSONAL_MAX} tokens; revoke one first")));
    }
    let kind = TokenKind::Personal;
    let draft = Draft { owner, kind, epoch: login.epoch, form, expires, client: String::new(), remembered };
    make(directory, draft).await
}

/// Makes a secret of a service account of ours. `by`: the token that the maker used in place of a password.
pub async fn service(
    directory: &Directory,
    name: &str,
    form: NewToken,
    by: Option<&UsedToken>,
) -> Result<Minted> {
    form.check()?;
    maker(directory, by)?;
    let expires = lifetime(form.lifetime_secs, LIFETIME_SECS_MAX)?
        .map(|secs| directory.clock.unix_secs().saturating_add(secs));
    let owner = Owner::own(AccountKind::ServiceAccount, name);
    let _alone = directory.locks.account(name).await;
    let account = identity(directory, AccountKind::ServiceAccount, name).await?;
    let epoch = account.ok_or(Error::Absent("service account"))?.epoch;
    let living = living(directory, &owner, epoch, TokenKind::Service).await?;
    if living.len() >= SECRETS_MAX {
        return Err(Error::Refused(format!("{name} has {SECRETS_MAX} secrets; revoke one first")));
    }
    let (kind, client, remembered) = (TokenKind::Service, String::new(), Remembered::default());
    make(directory, Draft { owner, kind, epoch, form, expires, client, remembered }).await
}

/// Makes a refresh token of a user who logged in with a password. Whoever came with a token gets none: it would outlive
/// that one, and give more.
pub async fn refresh(directory: &Directory, login: &Login, new: NewRefresh) -> Result<Minted> {
    if login.token.is_some() || login.identity.kind != AccountKind::User {
        return Err(Error::Refused("a refresh token is given for a password only".into()));
    }
    let expires = lifetime(new.lifetime_secs, LIFETIME_SECS_MAX)?
        .map(|secs| directory.clock.unix_secs().saturating_add(secs));
    let (owner, epoch, kind) = (Owner::of(login), login.epoch, TokenKind::Refresh);
    let _alone = directory.locks.account(&owner.name).await;
    stands(directory, &owner, epoch).await?;
    let mut before = living(directory, &owner, epoch, kind).await?;
    // As the password that it stands for.
    let form = NewToken { api: true, ..NewToken::default() };
    let client = new.client.chars().filter(|c| !c.is_control()).take(CLIENT_CHARS_MAX).collect();
    let draft = Draft { owner, kind, epoch, form, expires, client, remembered: new.remembered };
    let minted = make(directory, draft).await?;
    // It ends when it is idle, and would never be if it were never used.
    directory.uses.record(&minted.token.id, minted.token.created);
    while before.len() >= REFRESH_MAX {
        let idle = longest_idle(directory, &before).await?;
        before.retain(|(id, _)| *id != idle);
        commit::erase(directory, Shelf::Tokens, &idle).await?;
    }
    Ok(minted)
}

/// Who may make tokens: whoever came without one, or with one that is bounded in nothing.
fn maker(directory: &Directory, by: Option<&UsedToken>) -> Result<Option<Held>> {
    let Some(by) = by else { return Ok(None) };
    if by.ceiling.is_some() || !by.api {
        return Err(Error::Refused("a token that is bounded itself makes no other".into()));
    }
    match directory.held_token(&by.id) {
        Some(held) => Ok(Some(held)),
        None => Err(Error::Refused("the token that was used is no more".into())),
    }
}

fn lifetime(secs: Option<u64>, secs_max: u64) -> Result<Option<u64>> {
    if secs.is_some_and(|secs| secs == 0 || secs > secs_max) {
        let days = secs_max / 86_400;
        return Err(Error::Invalid(format!("such a token lives for one second to {days} days")));
    }
    Ok(secs)
}

async fn stands(directory: &Directory, owner: &Owner, epoch: u64) -> Result<()> {
    if tokens::holds(directory, owner, epoch).await? {
        return Ok(());
    }
    Err(Error::Refused("the account has changed since the login".into()))
}

/// The tokens of a kind that live. Some of the dead ones go, so that they do not pile up.
async fn living(
    directory: &Directory,
    owner: &Owner,
    epoch: u64,
    kind: TokenKind,
) -> Result<Vec<(Arc<str>, Held)>> {
    let now = directory.clock.unix_secs();
    let held = directory.memory().tokens().of(owner);
    let (mut living, dead): (Vec<_>, Vec<_>) =
        held.into_iter().partition(|(_, held)| held.epoch == epoch && !held.is_expired(now));
    for (id, _) in dead.iter().take(CLEARED_MAX) {
        commit::erase(directory, Shelf::Tokens, id).await?;
    }
    living.retain(|(_, held)| held.kind == kind);
    Ok(living)
}

async fn longest_idle(directory: &Directory, held: &[(Arc<str>, Held)]) -> Result<Arc<str>> {
    let mut idlest: Option<(u64, &Arc<str>)> = None;
    for (id, held) in held {
        let last = tokens::last_used(directory, id).await?.unwrap_or(held.created);
        if idlest.is_none_or(|(earliest, _)| last < earliest) {
            idlest = Some((last, id));
        }
    }
    idlest.map(|(_, id)| id.clone()).ok_or(Error::Absent("token"))
}

async fn make(directory: &Directory, draft: Draft) -> Result<Minted> {
    let fresh = token_text::fresh(draft.kind)?;
    let Remembered { groups, labels } = draft.remembered;
    let bytes =
        groups.iter().chain(labels.keys()).chain(labels.values().flatten()).map(|text| text.len() + 8);
    if bytes.sum::<usize>() > REMEMBERED_BYTES_MAX {
        return Err(Error::Refused("the source of this account tells too much about it for a token".into()));
    }
    let token = Token {
        id: fresh.id,
        kind: draft.kind,
        owner: draft.owner,
        hash: fresh.hash,
        description: draft.form.description,
        ceiling: draft.form.ceiling,
        api: draft.form.api,
        created: directory.clock.unix_secs(),
        expires: draft.expires,
        epoch: draft.epoch,
        client: draft.client,
        groups,
        labels,
    };
    commit::put(directory, &token, 0).await?;
    Ok(Minted { token: TokenView::of(&token, None), secret: fresh.secret })
}
