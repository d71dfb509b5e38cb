//! What is asked for: a resource and an action, in the words of the token scopes (docker-auth-scope,
//! "Resource Provider Use").

use std::fmt;
use std::str::FromStr;

/// The type of a repository in scopes and rules.
pub const REPOSITORY: &str = "repository";
/// The type of the registry as a whole: `registry:catalog:*`, `registry:api:*`.
pub const REGISTRY: &str = "registry";

/// An action on a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Read manifests, blobs, tags and referrers.
    Pull,
    /// Create and overwrite.
    Push,
    /// Remove tags, manifests and blobs.
    Delete,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pull, Self::Push, Self::Delete];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|action| action.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no action; there are pull, push and delete"))
    }
}

/// One thing that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access<'a> {
    /// `repository`, `registry`, or whatever a token scope names.
    pub kind: &'a str,
    /// The name of the resource.
    pub name: &'a str,
    /// `pull`, `push`, `delete`, or whatever a token scope names; `*` of the catalog.
    pub action: &'a str,
}

impl<'a> Access<'a> {
    /// An action on a repository.
    pub fn repository(name: &'a str, action: Action) -> Self {
        Self { kind: REPOSITORY, name, action: action.as_str() }
    }
}
