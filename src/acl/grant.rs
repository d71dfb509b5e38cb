//! Grants: whom, what, where; their union counts. A stand-in to compile against: the whole one is written elsewhere.

use crate::acl::access::Action;
use serde::{Deserialize, Serialize};

/// Whom a grant is given to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "kebab-case")]
pub enum Subject {
    /// A user of any source.
    User(String),
    /// A group.
    Group(String),
    /// A service account.
    ServiceAccount(String),
    /// Whoever is known.
    Everyone,
    /// Nobody in particular.
    Anonymous,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Names it.
    pub id: String,
    /// Whom.
    pub subject: Subject,
    /// A glob of repositories.
    pub repository: String,
    /// What.
    pub actions: Vec<Action>,
}

/// All grants, ready to be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(pub Vec<Grant>);

impl Grants {
    /// Makes them ready; says which glob does not read.
    pub fn compile(grants: Vec<Grant>) -> Result<Self, String> {
        match grants.iter().find(|grant| grant.repository.contains("***") || grant.repository.is_empty()) {
            None => Ok(Self(grants)),
            Some(bad) => Err(format!("{:?} is no glob", bad.repository)),
        }
    }
}
