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
    pub fn new(repositories: &[String], actions: Vec<Action>) -> Result<Self, String> {
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
        Self::new(&written.repositories, written.actions)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ceiling(repositories: &[&str], actions: &[Action]) -> Ceiling {
        let repositories: Vec<_> = repositories.iter().map(|text| (*text).to_owned()).collect();
        Ceiling::new(&repositories, actions.to_vec()).unwrap()
    }

    #[test]
    fn it_admits_its_actions_on_its_repositories_and_the_catalog() {
        let team = ceiling(&["team/*", "deep/**"], &[Action::Pull, Action::Push]);
        for (kind, name, action, expected) in [
            ("repository", "team/a", "pull", true),
            ("repository", "team/a", "push", true),
            ("repository", "team/a", "delete", false),
            ("repository", "team/a", "*", false),
            ("repository", "team/a/b", "pull", false),
            ("repository", "deep/a/b", "pull", true),
            ("repository", "other", "pull", false),
            ("repository", "catalog", "pull", false),
            ("registry", "catalog", "*", true),
            ("registry", "api", "*", false),
            ("registry", "team/a", "pull", false),
            ("plugin", "team/a", "pull", false),
        ] {
            assert_eq!(team.admits(&Access { kind, name, action }), expected, "{kind}:{name}:{action}");
        }
        let nothing = ceiling(&[], &Action::ALL);
        assert!(!nothing.admits(&Access::repository("a", Action::Pull)));
        assert!(!ceiling(&["**"], &[]).admits(&Access::repository("a", Action::Pull)));
    }

    #[test]
    fn it_is_written_as_two_lists() {
        let text = r#"{"repositories":["team/**"],"actions":["pull"]}"#;
        let read: Ceiling = serde_json::from_str(text).unwrap();
        assert_eq!(read, ceiling(&["team/**"], &[Action::Pull]));
        assert_ne!(read, ceiling(&["team/*"], &[Action::Pull]));
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        for bad in [
            r#"{"repositories":["[a"],"actions":["pull"]}"#,
            r#"{"repositories":["a"],"actions":["admin"]}"#,
            r#"{"repositories":["a"]}"#,
            r#"{"repositories":["a"],"actions":[],"also":1}"#,
        ] {
            assert!(serde_json::from_str::<Ceiling>(bad).is_err(), "{bad}");
        }
        assert!(Ceiling::new(&vec!["a".into(); 101], vec![]).is_err());
    }
}
