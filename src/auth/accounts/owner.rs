//! Whose: the account that a token speaks for, wherever it is known. Names of several sources do not mix.

use crate::acl::identity::AccountKind;
use crate::auth::authenticator::Login;
use serde::{Deserialize, Serialize};

/// The source of users that this room is.
pub const SOURCE: &str = "accounts";

/// An account of some source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    /// What sort.
    pub kind: AccountKind,
    /// Its name.
    pub name: String,
    /// The source that knows it.
    pub source: String,
}

impl Owner {
    /// One of our own accounts.
    pub fn own(kind: AccountKind, name: &str) -> Self {
        Self { kind, name: name.to_owned(), source: SOURCE.to_owned() }
    }

    /// Whoever logged in.
    pub fn of(login: &Login) -> Self {
        Self { kind: login.identity.kind, name: login.identity.name.clone(), source: login.source.to_owned() }
    }

    /// Whether it is one of our own accounts.
    pub fn is_own(&self) -> bool {
        self.source == SOURCE
    }
}
