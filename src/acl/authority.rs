//! The policy that counts now. Rules change with the configuration and grants with the API, each as a whole and at once
//! for everybody; a decision never sees half of a change. Can say in words why it decides so.

use crate::acl::access::Access;
use crate::acl::grant::Grants;
use crate::acl::identity::Caller;
use crate::acl::policy::{Because, Decision, Policy, decide};
use crate::acl::rules::Rules;
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The live policy.
#[derive(Debug, Default)]
pub struct Authority {
    rules: ArcSwap<Rules>,
    grants: ArcSwap<Grants>,
    generation: AtomicU64,
}

/// A decision in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// Why.
    pub sentence: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl Authority {
    /// Begins with these.
    pub fn new(rules: Rules, grants: Grants) -> Self {
        Self {
            rules: ArcSwap::from_pointee(rules),
            grants: ArcSwap::from_pointee(grants),
            generation: AtomicU64::new(0),
        }
    }

    /// Decides.
    pub fn decide(&self, caller: &Caller<'_>, access: &Access<'_>) -> Decision {
        decide(&self.rules.load(), &self.grants.load(), caller, access)
    }

    /// The policy as it stands, for many decisions that must agree with each other.
    pub fn policy(&self) -> Policy {
        Policy { rules: self.rules.load_full(), grants: self.grants.load_full() }
    }

    /// Replaces the rules.
    pub fn set_rules(&self, rules: Rules) {
        self.rules.store(rules.into());
        self.changed();
    }

    /// Replaces the grants.
    pub fn set_grants(&self, grants: Grants) {
        self.grants.store(grants.into());
        self.changed();
    }

    /// Grows with every change. Who remembers a decision asks for this *before* deciding: then a decision that is
    /// remembered under the number that counts now is not older than the last change that was finished.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Only after the change can be seen.
    fn changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Decides, and says why.
    pub fn explain(&self, caller: &Caller<'_>, access: &Access<'_>) -> Explanation {
        let policy = self.policy();
        let decision = policy.decide(caller, access);
        let who = match caller.identity.name.as_str() {
            _ if caller.identity.is_anonymous() => "everybody without login".to_owned(),
            name => format!("{name:?}"),
        };
        let may = if decision.allowed { "may" } else { "may not" };
        let Access { kind, name, action } = access;
        let sentence = format!("{who} {may} {action:?} {kind} {name:?}: {}", why(&policy, decision));
        Explanation { decision, sentence }
    }
}

fn why(policy: &Policy, decision: Decision) -> String {
    match decision.because {
        Because::Administrator => "an administrator may do everything".into(),
        Because::Rule(rule) if decision.allowed => format!("{} allows it", policy.rules.title(rule)),
        Because::Rule(rule) => format!(
            "{} is the first that matches, and does not allow it; later rules and all grants were not looked at",
            policy.rules.title(rule)
        ),
        Because::TooMuch(rule) => format!(
            "it takes too much to find out whether {} matches, with this many labels; later rules and all grants \
             were not looked at",
            policy.rules.title(rule)
        ),
        Because::TooLong => "a name in it is longer than 1024 bytes".into(),
        Because::Grant(grant) => match policy.grants.all().get(grant) {
            Some(grant) => {
                format!("grant {} to {} of {:?} allows it", grant.id, grant.subject, grant.repository)
            }
            None => "a grant allows it".into(),
        },
        Because::Catalog => {
            "no rule with a type is about the catalog, which shows to each only what they may pull".into()
        }
        Because::Nothing => "no rule matches and no grant gives it".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::access::Action;
    use crate::acl::config::{Match, Rule};
    use crate::acl::grant::{Grant, Subject};
    use crate::acl::identity::{AccountKind, Identity};

    fn rules(actions: &[&str]) -> Rules {
        let rule = Rule {
            when: Match { account: Some("joe".into()), name: Some("joe/*".into()), ..Match::default() },
            actions: actions.iter().map(|word| (*word).to_owned()).collect(),
            comment: "joe's own".into(),
        };
        Rules::compile(&[
            Rule { when: Match { name: Some("x".into()), ..Match::default() }, ..rule.clone() },
            rule,
        ])
        .unwrap()
    }

    fn grants() -> Grants {
        let grant = |id: &str, subject, repository: &str| Grant {
            id: id.into(),
            subject,
            repository: repository.into(),
            actions: vec![Action::Pull],
        };
        Grants::compile(vec![
            grant("g1", Subject::Group("dev".into()), "team/**"),
            grant("g2", Subject::Anonymous, "hello-world"),
        ])
        .unwrap()
    }

    fn joe() -> Identity {
        Identity {
            kind: AccountKind::User,
            name: "joe".into(),
            groups: vec!["dev".into()],
            ..Identity::anonymous()
        }
    }

    #[test]
    fn a_change_counts_at_once_and_moves_the_generation() {
        let authority = Authority::default();
        let joe = joe();
        let caller = Caller { identity: &joe, address: None, service: "" };
        let may = |name| authority.decide(&caller, &Access::repository(name, Action::Pull)).allowed;
        assert!(!may("joe/a") && !may("team/a"));
        let before = (authority.generation(), authority.policy());
        authority.set_rules(rules(&["pull"]));
        assert!(may("joe/a") && !may("team/a"));
        let between = authority.generation();
        authority.set_grants(grants());
        assert!(may("joe/a") && may("team/a"));
        assert!(before.0 < between && between < authority.generation());
        let pull = Access::repository("joe/a", Action::Pull);
        assert!(!before.1.decide(&caller, &pull).allowed, "a policy that was taken stays as it was");
    }

    #[test]
    fn a_decision_says_why() {
        let authority = Authority::new(rules(&["pull"]), grants());
        let mut joe = joe();
        let why = |identity: &Identity, kind, name, action| {
            let caller = Caller { identity, address: None, service: "" };
            let access = Access { kind, name, action };
            let told = authority.explain(&caller, &access);
            assert_eq!(told.decision, authority.decide(&caller, &access));
            told.to_string()
        };
        for (name, action, says) in [
            ("joe/a", "pull", r#""joe" may "pull" repository "joe/a": rule 2 ("joe's own") allows it"#),
            (
                "joe/a",
                "push",
                r#"may not "push" repository "joe/a": rule 2 ("joe's own") is the first that matches"#,
            ),
            ("joe/a", "push", "later rules and all grants were not looked at"),
            ("team/a/b", "pull", r#"grant g1 to group "dev" of "team/**" allows it"#),
            ("other", "pull", "no rule matches and no grant gives it"),
        ] {
            let told = why(&joe, "repository", name, action);
            assert!(told.contains(says), "{told}");
        }
        assert!(why(&joe, "registry", "catalog", "*").contains("only what they may pull"));
        let told = why(&Identity::anonymous(), "repository", "hello-world", "pull");
        assert_eq!(
            told,
            r#"everybody without login may "pull" repository "hello-world": grant g2 to everybody, also without login of "hello-world" allows it"#
        );
        joe.admin = true;
        assert!(why(&joe, "repository", "x", "delete").contains("administrator"));
        let forged = why(&joe, "repository", "a\nb", "pull\r\n");
        assert!(!forged.contains(['\n', '\r']), "{forged}");
    }
}
