//! A token, as storage holds it: what a secret text stands for, and the hash of the text. The text itself is shown once
//! and kept nowhere.

use crate::acl::ceiling::Ceiling;
use crate::auth::accounts::document::Document;
use crate::auth::accounts::owner::Owner;
use crate::auth::accounts::random;
use crate::record::Shelf;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What sort of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Made by a person for a machine or a tool.
    Personal,
    /// The secret of a service account.
    Service,
    /// Given at a login in place of the password.
    Refresh,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its public name, which also stands in the text.
    pub id: String,
    /// What sort.
    pub kind: TokenKind,
    /// Whom it speaks for.
    pub owner: Owner,
    /// The SHA-256 of the whole text, in hex.
    pub hash: Secret,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What it gives at most. `None`: all that its owner has. One that does not read makes the token unreadable.
    #[serde(default)]
    pub ceiling: Option<Ceiling>,
    /// Whether it may use the admin API.
    #[serde(default)]
    pub api: bool,
    /// When it was made, in seconds since the Unix epoch.
    pub created: u64,
    /// From when on it is none. `None`: never.
    pub expires: Option<u64>,
    /// The owner's epoch when it was made. When that moves, the token is dead.
    pub epoch: u64,
    /// The program that asked for it, as it called itself.
    #[serde(default)]
    pub client: String,
    /// What the owner's source tells only at a login.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Likewise.
    #[serde(default)]
    pub labels: BTreeMap<String, Vec<String>>,
}

impl Document for Token {
    const SHELF: Shelf = Shelf::Tokens;
    const BATCH: usize = 200;

    fn key(&self) -> &str {
        &self.id
    }

    fn may_be(text: &str) -> bool {
        random::is_id(text)
    }
}

/// A token as its owner may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenView {
    /// Its public name.
    pub id: String,
    /// What sort.
    pub kind: TokenKind,
    /// Whom it speaks for.
    pub owner: Owner,
    /// What it is for.
    pub description: String,
    /// What it gives at most. `None`: all that its owner has.
    pub ceiling: Option<Ceiling>,
    /// Whether it may use the admin API.
    pub api: bool,
    /// When it was made, in seconds since the Unix epoch.
    pub created: u64,
    /// From when on it is none. `None`: never.
    pub expires: Option<u64>,
    /// When it was last used, as far as is known.
    pub last_used: Option<u64>,
    /// The program that asked for it.
    pub client: String,
}

impl TokenView {
    /// What may be seen of a token.
    pub fn of(token: &Token, last_used: Option<u64>) -> Self {
        Self {
            id: token.id.clone(),
            kind: token.kind,
            owner: token.owner.clone(),
            description: token.description.clone(),
            ceiling: token.ceiling.clone(),
            api: token.api,
            created: token.created,
            expires: token.expires,
            last_used,
            client: token.client.clone(),
        }
    }
}

/// A new token and its text, which nobody can tell again.
#[derive(Debug, Clone)]
pub struct Minted {
    /// What it is.
    pub token: TokenView,
    /// The text.
    pub secret: Secret,
}
