//! What a token gives at most, whatever its owner may do.

use crate::acl::access::{Access, Action, REPOSITORY};
use crate::acl::glob::Glob;
use crate::acl::policy::is_catalog;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Globs of one token. It is asked at every request, glob by glob.
pub const CEILING_GLOBS_MAX: usize = 100;

/// A bound on what a token gives: these actions on these repositories, and nothing else. In JSON
/// `{"repositories":["team/**"],"actions":["pull"]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Ceiling {
    repositories: Arc<[Glob]>,
    actions: Vec<Action>,
}

/// How it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    repositories: Vec<String>,
    actions: Vec<Action>,
}

impl Ceiling {
    /// Globs of repositories (`*` stays inside one path component, `**` crosses) and what may be done to them.
    pub fn new(repositories: Vec<String>, actions: Vec<Action>) -> Result<Self, String> {
        if repositories.len() > CEILING_GLOBS_MAX {
            return Err(format!("a token is for at most {CEILING_GLOBS_MAX} globs of repositories"));
        }
        let globs: Result<_, _> = repositories.iter().map(|text| Glob::new(text)).collect();
        Ok(Self { repositories: globs?, actions })
    }

    /// The globs of repositories.
    pub fn repositories(&self) -> impl Iterator<Item = &str> {
        self.repositories.iter().map(Glob::as_str)
    }

    /// What may be done to them.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Whether an access stays beneath it. Of the registry as a whole it gives the catalog alone, which shows no more
    /// than may be pulled.
    pub fn admits(&self, access: &Access<'_>) -> bool {
        let within = || {
            self.actions.iter().any(|action| action.as_str() == access.action)
                && self.repositories.iter().any(|glob| glob.matches(access.name))
        };
        is_catalog(access) || (access.kind == REPOSITORY && within())
    }
}

impl TryFrom<Written> for Ceiling {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        Self::new(written.repositories, written.actions)
    }
}

impl From<Ceiling> for Written {
    fn from(ceiling: Ceiling) -> Self {
        Self {
            repositories: ceiling.repositories().map(ToOwned::to_owned).collect(),
            actions: ceiling.actions,
        }
    }
}
