//! A service account: a machine that pulls and pushes. It has no password; its secrets are tokens.

use crate::auth::accounts::document::Document;
use crate::auth::accounts::name;
use crate::record::Shelf;
use serde::{Deserialize, Serialize};

/// A service account, as storage holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// The name. No user has the same one.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// May not log in.
    #[serde(default)]
    pub disabled: bool,
    /// Moves whenever all its secrets must die.
    pub epoch: u64,
    /// When it was made, in seconds since the Unix epoch.
    #[serde(default)]
    pub created: u64,
    /// When it was last changed.
    #[serde(default)]
    pub changed: u64,
    /// It is being removed: nobody sees it any more, and what hangs on it goes first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removing: bool,
}

impl ServiceAccount {
    /// Ends all secrets.
    pub fn move_epoch(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
    }
}

impl Document for ServiceAccount {
    const SHELF: Shelf = Shelf::ServiceAccounts;
    const BATCH: usize = 500;

    fn key(&self) -> &str {
        &self.name
    }

    fn may_be(text: &str) -> bool {
        name::service(text).is_ok()
    }
}

/// A service account as others may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceProfile {
    /// The name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// May not log in.
    pub disabled: bool,
    /// When it was made, in seconds since the Unix epoch.
    pub created: u64,
    /// When it was last changed.
    pub changed: u64,
}

impl From<&ServiceAccount> for ServiceProfile {
    fn from(account: &ServiceAccount) -> Self {
        Self {
            name: account.name.clone(),
            description: account.description.clone(),
            disabled: account.disabled,
            created: account.created,
            changed: account.changed,
        }
    }
}
