//! What a token gives at most, whatever its owner may do.

use crate::acl::access::{Access, Action, REPOSITORY};
use serde::{Deserialize, Serialize};

/// A bound on what a token gives: these actions on these repositories, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    /// Globs of repositories: `*` stays inside one path component, `**` crosses.
    pub repositories: Vec<String>,
    /// What may be done to them.
    pub actions: Vec<Action>,
}

impl Ceiling {
    /// Whether an access stays beneath it. Of the registry as a whole it gives the catalog alone, which shows no more
    /// than may be pulled.
    pub fn admits(&self, access: &Access<'_>) -> bool {
        let _ = (access, REPOSITORY);
        todo!("helper A")
    }
}
