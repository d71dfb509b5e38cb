//! The rules of tokens that are there: which are still good, whose they are, and how they end. How they begin is in
//! `mint.rs`.

use crate::auth::accounts::directory::{Directory, Known};
use crate::auth::accounts::identity::identity;
use crate::auth::accounts::owner::Owner;
use crate::auth::accounts::token::{Token, TokenKind, TokenView};
use crate::auth::accounts::{commit, removal, token_text};
use crate::auth::error::{Error, Result};
use crate::record::Shelf;
use std::sync::Arc;

/// The token of a text, if it is good: known, not over, and its owner's epoch has not moved. Of an owner whom another
/// source knows, the caller asks that source and compares `Token::epoch`.
pub async fn check(directory: &Directory, text: &str) -> Result<Option<Arc<Token>>> {
    let Some(presented) = token_text::parse(text) else { return Ok(None) };
    let Some(token) = read(directory, presented.id).await? else { return Ok(None) };
    let now = directory.clock.unix_secs();
    let is_it = token_text::matches(text, &token.hash) && token.kind == presented.kind;
    let is_over = token.expires.is_some_and(|expires| now >= expires);
    if !is_it || is_over || !holds(directory, &token.owner, token.epoch).await? {
        return Ok(None);
    }
    directory.uses.record(&token.id, now);
    Ok(Some(token))
}

/// A token by its id, if it is still good: for asking whether what was got for it still holds. Counts as no use.
pub async fn standing(directory: &Directory, id: &str) -> Result<Option<Arc<Token>>> {
    let Some(token) = read(directory, id).await? else { return Ok(None) };
    let now = directory.clock.unix_secs();
    let is_over = token.expires.is_some_and(|expires| now >= expires);
    let holds = !is_over && holds(directory, &token.owner, token.epoch).await?;
    Ok(holds.then_some(token))
}

/// What an owner may see of a token of theirs.
pub async fn find(directory: &Directory, id: &str) -> Result<Option<TokenView>> {
    let Some(token) = directory.find::<Token>(id).await? else { return Ok(None) };
    let last_used = last_used(directory, id).await?;
    Ok(Some(TokenView::of(&token, last_used)))
}

/// The tokens of an owner that are still good, or those of one kind.
pub async fn list(directory: &Directory, owner: &Owner, kind: Option<TokenKind>) -> Result<Vec<TokenView>> {
    let now = directory.clock.unix_secs();
    let held = directory.memory().tokens().of(owner);
    let mut views = Vec::new();
    for (id, held) in held {
        let wanted = kind.is_none_or(|kind| kind == held.kind) && !held.is_expired(now);
        if wanted && holds(directory, owner, held.epoch).await? {
            views.extend(find(directory, &id).await?);
        }
    }
    Ok(views)
}

/// Ends a token of an owner. One of somebody else is as absent as one that never was.
pub async fn revoke(directory: &Directory, owner: &Owner, id: &str) -> Result<()> {
    let _alone = directory.locks.account(&owner.name).await;
    if directory.held_token(id).is_none_or(|held| *held.owner != *owner) {
        return Err(Error::Absent("token"));
    }
    commit::erase(directory, Shelf::Tokens, id).await?;
    Ok(())
}

/// Ends all tokens of an owner, whatever the source.
pub async fn revoke_all(directory: &Directory, owner: &Owner) -> Result<()> {
    let _alone = directory.locks.account(&owner.name).await;
    removal::tokens(directory, owner).await
}

/// When a token was last used, as far as is known.
pub async fn last_used(directory: &Directory, id: &str) -> Result<Option<u64>> {
    match directory.uses.last(id) {
        Some(at) => Ok(Some(at)),
        None => Ok(directory.accounts.last_used(id).await?),
    }
}

/// Whether an owner stands, and at this epoch. Other sources are not asked: theirs hold.
pub async fn holds(directory: &Directory, owner: &Owner, epoch: u64) -> Result<bool> {
    if !owner.is_own() {
        return Ok(true);
    }
    Ok(identity(directory, owner.kind, &owner.name).await?.is_some_and(|login| login.epoch == epoch))
}

async fn read(directory: &Directory, id: &str) -> Result<Option<Arc<Token>>> {
    // Before it is read: a change that comes meanwhile then makes what was read old.
    let generation = directory.generation();
    if let Some(known) = directory.tokens.get(id).filter(|known| known.generation == generation) {
        return Ok(Some(known.value));
    }
    let Some(token) = directory.find::<Token>(id).await? else {
        directory.tokens.invalidate(id);
        return Ok(None);
    };
    let value = Arc::new(token);
    directory.tokens.insert(id.to_owned(), Known { generation, value: value.clone() });
    Ok(Some(value))
}
