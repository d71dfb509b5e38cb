//! Grants: who may do what to which repositories, made from the page, the API or the command line. Their union counts;
//! none of them takes anything away. Filed so that of ten thousand a decision looks at a few, whosever they are.

use crate::acl::access::{Access, Action, REPOSITORY};
use crate::acl::glob::Glob;
use crate::acl::identity::{AccountKind, Identity};
use crate::acl::prefixes::Prefixes;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its name, for taking it back.
    pub id: String,
    /// To whom.
    pub subject: Subject,
    /// A glob of repositories: `*` stays inside one path component, `**` crosses.
    pub repository: String,
    /// What may be done to them.
    pub actions: Vec<Action>,
}

/// To whom something is granted. In JSON: `{"kind":"user","name":"alice"}`, `{"kind":"everyone"}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Subject {
    /// One person.
    User(String),
    /// All who are in a group.
    Group(String),
    /// One machine.
    ServiceAccount(String),
    /// Every account: whoever has logged in.
    Everyone,
    /// Everybody, also without login.
    Anonymous,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user {name:?}"),
            Self::Group(name) => write!(f, "group {name:?}"),
            Self::ServiceAccount(name) => write!(f, "service account {name:?}"),
            Self::Everyone => f.write_str("every account"),
            Self::Anonymous => f.write_str("everybody, also without login"),
        }
    }
}

/// All grants, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    given: Vec<Grant>,
    /// Globs and masks of actions, by the numbers of the grants.
    read: Vec<(Glob, u8)>,
    by_subject: Shelves,
}

/// The grants of each subject.
#[derive(Debug, Clone, Default)]
struct Shelves {
    users: HashMap<String, Prefixes>,
    groups: HashMap<String, Prefixes>,
    service_accounts: HashMap<String, Prefixes>,
    everyone: Prefixes,
    anonymous: Prefixes,
}

impl Shelves {
    fn of(&mut self, subject: &Subject) -> &mut Prefixes {
        match subject {
            Subject::User(name) => self.users.entry(name.clone()).or_default(),
            Subject::Group(name) => self.groups.entry(name.clone()).or_default(),
            Subject::ServiceAccount(name) => self.service_accounts.entry(name.clone()).or_default(),
            Subject::Everyone => &mut self.everyone,
            Subject::Anonymous => &mut self.anonymous,
        }
    }

    /// All that somebody has a part in.
    fn for_identity<'a>(&'a self, identity: &'a Identity) -> impl Iterator<Item = &'a Prefixes> {
        let own = match identity.kind {
            AccountKind::User => self.users.get(&identity.name),
            AccountKind::ServiceAccount => self.service_accounts.get(&identity.name),
            AccountKind::Anonymous => None,
        };
        let known = !identity.is_anonymous();
        let groups = identity.groups.iter().filter(move |_| known).filter_map(|group| self.groups.get(group));
        let everyone = known.then_some(&self.everyone);
        own.into_iter().chain(groups).chain(everyone).chain([&self.anonymous])
    }
}

impl Grants {
    /// Reads grants. The error names the first one that is malformed.
    pub fn compile(grants: Vec<Grant>) -> Result<Self, String> {
        let mut all = Self::default();
        for (number, grant) in grants.iter().enumerate() {
            let glob =
                Glob::new(&grant.repository).map_err(|wrong| format!("grant {}: {wrong}", grant.id))?;
            all.by_subject.of(&grant.subject).add(glob.tokens(), number as u32);
            all.read.push((glob, mask(&grant.actions)));
        }
        all.given = grants;
        Ok(all)
    }

    /// All of them, as they were given.
    pub fn all(&self) -> &[Grant] {
        &self.given
    }

    /// A grant that allows this, by its place, if there is one.
    pub fn find(&self, identity: &Identity, access: &Access<'_>) -> Option<usize> {
        if access.kind != REPOSITORY {
            return None;
        }
        let action = mask(&[access.action.parse().ok()?]);
        let gives = |number: &&u32| {
            let (glob, actions) = &self.read[**number as usize];
            actions & action != 0 && glob.matches(access.name)
        };
        self.by_subject
            .for_identity(identity)
            .flat_map(|shelf| shelf.candidates(access.name))
            .find_map(|list| list.iter().find(gives))
            .map(|number| *number as usize)
    }
}

fn mask(actions: &[Action]) -> u8 {
    actions.iter().fold(0, |mask, action| {
        mask | match action {
            Action::Pull => 1,
            Action::Push => 2,
            Action::Delete => 4,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::drawn::{Question, grant_gives, grants, questions};
    use proptest::prelude::*;

    #[test]
    fn a_grant_is_written_as_the_api_has_it() {
        let text = r#"{"id":"7","subject":{"kind":"user","name":"alice"},"repository":"team/**","actions":["pull","push"]}"#;
        let grant: Grant = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&grant).unwrap(), text);
        for (subject, text) in [
            (Subject::Group("dev".into()), r#"{"kind":"group","name":"dev"}"#),
            (Subject::ServiceAccount("ci".into()), r#"{"kind":"service-account","name":"ci"}"#),
            (Subject::Everyone, r#"{"kind":"everyone"}"#),
            (Subject::Anonymous, r#"{"kind":"anonymous"}"#),
        ] {
            assert_eq!(serde_json::to_string(&subject).unwrap(), text);
            assert_eq!(serde_json::from_str::<Subject>(text).unwrap(), subject);
        }
        for bad in [
            r#"{"kind":"user"}"#,
            r#"{"kind":"admin","name":"x"}"#,
            r#"{"kind":"user","name":"x","also":1}"#,
            r#"{"name":"x"}"#,
        ] {
            assert!(serde_json::from_str::<Subject>(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Grant>(&text.replace("pull", "admin")).is_err());
        assert!(serde_json::from_str::<Grant>(&text.replace("\"id\"", "\"also\":1,\"id\"")).is_err());
    }

    #[test]
    fn a_malformed_glob_is_named() {
        let grant = Grant {
            id: "g7".into(),
            subject: Subject::Everyone,
            repository: "[a".into(),
            actions: vec![Action::Pull],
        };
        let told = Grants::compile(vec![grant]).unwrap_err();
        assert!(told.contains("g7") && told.contains("[a"), "{told}");
    }

    #[test]
    fn a_name_is_not_a_kind() {
        let own = |subject| {
            let grant =
                Grant { id: String::new(), subject, repository: "**".into(), actions: vec![Action::Pull] };
            Grants::compile(vec![grant]).unwrap()
        };
        let one = |kind, name: &str, groups: &[&str]| Identity {
            kind,
            name: name.into(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..Identity::anonymous()
        };
        let pull = Access::repository("a", Action::Pull);
        let machine = one(AccountKind::ServiceAccount, "x", &[]);
        assert!(own(Subject::User("x".into())).find(&machine, &pull).is_none());
        assert!(own(Subject::ServiceAccount("x".into())).find(&machine, &pull).is_some());
        assert!(own(Subject::Group("x".into())).find(&one(AccountKind::User, "x", &[]), &pull).is_none());
        let nobody = one(AccountKind::Anonymous, "x", &["x"]);
        for closed in [Subject::User("x".into()), Subject::Group("x".into()), Subject::Everyone] {
            assert!(own(closed).find(&nobody, &pull).is_none());
        }
        assert!(own(Subject::Anonymous).find(&nobody, &pull).is_some());
        assert!(own(Subject::Anonymous).find(&machine, &pull).is_some(), "who logs in loses nothing");
        let elsewhere = Access { kind: "registry", name: "a", action: "pull" };
        assert!(own(Subject::Anonymous).find(&nobody, &elsewhere).is_none());
        assert!(own(Subject::Anonymous).find(&nobody, &Access { action: "*", ..pull }).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_index_finds_what_looking_at_each_finds(
            list in prop::collection::vec(grants(), 0..12), question in questions()
        ) {
            let Question { identity, .. } = &question;
            let found = Grants::compile(list.clone()).unwrap().find(identity, &question.access());
            prop_assert_eq!(found.is_some(), list.iter().any(|grant| grant_gives(grant, &question)));
            if let Some(place) = found {
                prop_assert!(grant_gives(&list[place], &question));
            }
        }
    }
}
