//! The accounts behind opaque tokens, of whatever source: what a token gives depends on how its owner stands now. Over
//! our own accounts this is also what the source of them asks (`sources/own.rs`).

use crate::acl::identity::AccountKind;
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::identity::identity;
use crate::auth::accounts::owner::{Owner, SOURCE};
use crate::auth::accounts::token::{Token, TokenKind};
use crate::auth::accounts::{token_text, tokens, users};
use crate::auth::authenticator::{Authenticator, Login, UsedToken};
use crate::auth::error::{Error, Result};
use crate::auth::sources::ldap;
use crate::auth::sources::own::{StoredAccounts, StoredPassword};
use crate::clock::Clock;
use crate::secret::Secret;
use moka::sync::Cache;
use std::sync::Arc;

/// For so long the word of a source at the other end of a network is taken again. The others tell from memory.
const RECENT_SECS: u64 = 30;
/// Accounts of other sources that are remembered.
const RECENT_MAX: u64 = 10_000;

/// The owners of opaque tokens.
pub struct Owners {
    directory: Arc<Directory>,
    others: Vec<Arc<dyn Authenticator>>,
    recent: Cache<Owner, (u64, Login)>,
    clock: Arc<dyn Clock>,
}

impl Owners {
    /// Owners among our own accounts and those of other sources.
    pub fn new(
        directory: Arc<Directory>,
        others: Vec<Arc<dyn Authenticator>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { directory, others, recent: Cache::new(RECENT_MAX), clock }
    }

    /// An account as it stands now, with the groups that it is in here. `None`: it is gone or disabled, or a user of
    /// ours has its name now.
    pub async fn standing(&self, owner: &Owner) -> Result<Option<Login>> {
        if owner.is_own() {
            let login = identity(&self.directory, owner.kind, &owner.name).await?;
            return Ok(login.map(|login| Login::clone(&login)));
        }
        if self.is_shadowed(&owner.name) {
            return Ok(None);
        }
        let Some(source) = self.others.iter().find(|source| source.name() == owner.source) else {
            return Ok(None);
        };
        if source.name() != ldap::source::NAME {
            return Ok(source.lookup(&owner.name).await?.map(|login| self.with_groups(login)));
        }
        let now = self.clock.unix_secs();
        if let Some((_, login)) = self.recent.get(owner).filter(|(seen, _)| now < seen + RECENT_SECS) {
            return Ok(Some(self.with_groups(login)));
        }
        let Some(login) = source.lookup(&owner.name).await? else {
            self.recent.invalidate(owner);
            return Ok(None);
        };
        self.recent.insert(owner.clone(), (now, login.clone()));
        Ok(Some(self.with_groups(login)))
    }

    /// Whether a user of ours has this name: ours are asked first, so nobody of another source goes by it any more,
    /// with tokens from before either.
    pub fn is_shadowed(&self, name: &str) -> bool {
        self.directory.has_user(name)
    }

    /// The user whom the other sources know by this name. The first that knows it answers.
    pub async fn elsewhere(&self, name: &str) -> Result<Option<Login>> {
        for source in &self.others {
            if let Some(login) = source.lookup(name).await? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }

    /// Refuses a name for a new account of ours that another source knows: whoever has it there would be shut out, and
    /// the new account would have the rights that grants and rules give to the name.
    pub async fn refuse_known(&self, name: &str) -> Result<()> {
        match self.elsewhere(name).await? {
            Some(login) => Err(Error::Elsewhere(login.source)),
            None => Ok(()),
        }
    }

    /// The same login, with the groups that it is in here beside those of its source.
    pub fn with_groups(&self, mut login: Login) -> Login {
        if login.source != SOURCE {
            for group in self.directory.groups_of(login.identity.kind, &login.identity.name) {
                if !login.identity.groups.contains(&group) {
                    login.identity.groups.push(group);
                }
            }
        }
        login
    }

    /// The account that a token speaks for, with the token in it. `None`: it is unknown or over, or its owner has
    /// another password now, or is gone.
    pub async fn of(&self, token: &Token) -> Result<Option<Login>> {
        let login = self.standing(&token.owner).await?.filter(|login| login.epoch == token.epoch);
        Ok(login.map(|login| Login { token: Some(used(token)), ..login }))
    }

    /// The good token of a text, if it is one of these kinds.
    pub async fn check(&self, text: &Secret, kinds: &[TokenKind]) -> Result<Option<Arc<Token>>> {
        // Before it is checked, since that counts as a use, which keeps a refresh token alive.
        if !token_text::parse(text.expose()).is_some_and(|presented| kinds.contains(&presented.kind)) {
            return Ok(None);
        }
        tokens::check(&self.directory, text.expose()).await
    }
}

/// A token, as whoever used it is remembered by.
pub fn used(token: &Token) -> UsedToken {
    UsedToken { id: token.id.clone(), ceiling: token.ceiling.clone(), api: token.api }
}

#[async_trait::async_trait]
impl StoredAccounts for Owners {
    async fn password(&self, name: &str) -> Result<Option<StoredPassword>> {
        let user = users::with_password(&self.directory, name).await?;
        Ok(user.map(|user| StoredPassword { hash: user.password, disabled: user.disabled }))
    }

    async fn upgrade(&self, name: &str, old: &str, new: &str) -> Result<()> {
        users::rehash(&self.directory, name, &Secret::new(old), Secret::new(new)).await
    }

    async fn login(&self, name: &str) -> Result<Option<Login>> {
        self.standing(&Owner::own(AccountKind::User, name)).await
    }

    async fn token(&self, text: &Secret) -> Result<Option<Login>> {
        match self.check(text, &[TokenKind::Personal, TokenKind::Service]).await? {
            Some(token) => self.of(&token).await,
            None => Ok(None),
        }
    }

    fn is_token(&self, text: &str) -> bool {
        token_text::looks_like_token(text)
    }
}
