//! A grant, as storage holds it: whom, what, where, and who gave it when. What it means is the business of `acl`; the
//! way there is `publish.rs`.

use crate::acl::access::Action;
use crate::acl::grant::Subject;
use crate::auth::accounts::document::Document;
use crate::auth::accounts::random;
use crate::record::Shelf;
use serde::{Deserialize, Serialize};

/// A grant with its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredGrant {
    /// Names it.
    pub id: String,
    /// Whom it is given to.
    pub subject: Subject,
    /// A glob of repositories.
    pub repository: String,
    /// What it gives.
    pub actions: Vec<Action>,
    /// When it was given, in seconds since the Unix epoch.
    #[serde(default)]
    pub created: u64,
    /// Who gave it.
    #[serde(default)]
    pub by: String,
}

impl Document for StoredGrant {
    const SHELF: Shelf = Shelf::Grants;
    const BATCH: usize = 1000;

    fn key(&self) -> &str {
        &self.id
    }

    fn may_be(text: &str) -> bool {
        random::is_id(text)
    }
}
