//! A user, as storage holds it, and as others may see it. The hash of the password stands in the first only.

use crate::auth::accounts::document::Document;
use crate::auth::accounts::name;
use crate::record::Shelf;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};

/// A person with an account of ours. For storage and for whoever checks a password: everybody else gets a [`Profile`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // facts of their own, not states of one thing
pub struct User {
    /// The name.
    pub name: String,
    /// The e-mail address, or empty.
    #[serde(default)]
    pub email: String,
    /// The first name, or empty.
    #[serde(default)]
    pub first_name: String,
    /// The last name, or empty.
    #[serde(default)]
    pub last_name: String,
    /// May do everything.
    #[serde(default)]
    pub admin: bool,
    /// May not log in.
    #[serde(default)]
    pub disabled: bool,
    /// The hash of the password, as a PHC or bcrypt string. `None`: no password is right.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Moves whenever all tokens of the user must die.
    pub epoch: u64,
    /// When it was made, in seconds since the Unix epoch.
    #[serde(default)]
    pub created: u64,
    /// When it was last changed.
    #[serde(default)]
    pub changed: u64,
    /// The password is still the one that was made at the first start.
    #[serde(default)]
    pub initial: bool,
    /// It is being removed: nobody sees it any more, and what hangs on it goes first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removing: bool,
}

impl User {
    /// Whether it is one of those who keep the administration open.
    pub fn is_active_admin(&self) -> bool {
        self.admin && self.password.is_some() && !self.disabled && !self.removing
    }

    /// Ends all tokens.
    pub fn move_epoch(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
    }
}

impl Document for User {
    const SHELF: Shelf = Shelf::Users;
    const BATCH: usize = 500;

    fn key(&self) -> &str {
        &self.name
    }

    fn may_be(text: &str) -> bool {
        name::account(text).is_ok()
    }
}

/// A user as others may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(clippy::struct_excessive_bools)] // facts of their own, not states of one thing
pub struct Profile {
    /// The name.
    pub name: String,
    /// The e-mail address, or empty.
    pub email: String,
    /// The first name, or empty.
    pub first_name: String,
    /// The last name, or empty.
    pub last_name: String,
    /// May do everything.
    pub admin: bool,
    /// May not log in.
    pub disabled: bool,
    /// Whether there is a password.
    pub has_password: bool,
    /// Whether that is still the one of the first start.
    pub initial: bool,
    /// When it was made, in seconds since the Unix epoch.
    pub created: u64,
    /// When it was last changed.
    pub changed: u64,
}

impl From<&User> for Profile {
    fn from(user: &User) -> Self {
        Self {
            name: user.name.clone(),
            email: user.email.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            admin: user.admin,
            disabled: user.disabled,
            has_password: user.password.is_some(),
            initial: user.initial,
            created: user.created,
            changed: user.changed,
        }
    }
}
