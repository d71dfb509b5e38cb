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
