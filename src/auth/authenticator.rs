//! The trait of every source of users: our own accounts, static users of the configuration, an htpasswd file, LDAP.

use crate::acl::ceiling::Ceiling;
use crate::acl::identity::Identity;
use crate::auth::error::Result;
use crate::secret::Secret;
use std::net::IpAddr;

/// What somebody says to be let in.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The name.
    pub name: String,
    /// The password, or an opaque token in its place.
    pub password: Secret,
    /// From where.
    pub address: Option<IpAddr>,
}

/// Somebody who was let in, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Who.
    pub identity: Identity,
    /// The source that knows them: its `name`.
    pub source: &'static str,
    /// Changes whenever all tokens of the account must die: with its password, and when it is disabled.
    pub epoch: u64,
    /// The opaque token that was used in place of a password, if one was.
    pub token: Option<UsedToken>,
}

/// An opaque token that spoke for its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedToken {
    /// Its public id.
    pub id: String,
    /// What it gives at most. `None`: all that its owner has.
    pub ceiling: Option<Ceiling>,
    /// Whether it may use the admin API. A refresh token may, as the password that it came from.
    pub api: bool,
}

/// What a source answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is them.
    Known(Login),
    /// The source knows the name, and the password is wrong, or the account is disabled. Nobody else is asked.
    Wrong,
    /// The source does not know the name: ask the next one.
    Unknown,
}

/// A source of users.
#[async_trait::async_trait]
pub trait Authenticator: Send + Sync {
    /// Its name in tokens, logs and the configuration: `accounts`, `static`, `htpasswd`, `ldap`.
    fn name(&self) -> &'static str;

    /// Checks a name and a password.
    async fn authenticate(&self, credentials: &Credentials) -> Result<Verdict>;

    /// An account as it stands now, without a password: for refreshing a token, and for asking whether a token still
    /// holds. `None`: it is gone or disabled.
    async fn lookup(&self, name: &str) -> Result<Option<Login>>;

    /// Whether it takes this text, in place of a password, for an opaque token: one that nobody can guess, and that no
    /// other source is to see.
    fn takes_token(&self, _text: &str) -> bool {
        false
    }

    /// Spends what refusing a wrong password costs this source, so that all refusals take the same time whichever
    /// source knows the name.
    async fn burn(&self, _credentials: &Credentials) -> Result<()> {
        Ok(())
    }
}
