//! May they? The one function that decides, for every door. It denies by default.
//!
//! 1. An administrator may do everything.
//! 2. The first of the ordered rules that fits decides, for or against.
//! 3. Any grant that gives it allows it. Grants are about repositories only.
//! 4. Nothing else is allowed, with one exception: the catalog (`registry:catalog:*`) is open to whoever no rule about
//!    it keeps out, because it shows each caller only what they may pull. Rules without a `type` say nothing about it,
//!    since they were written about repositories.

use crate::acl::access::{Access, REGISTRY};
use crate::acl::asked::Asked;
use crate::acl::grant::Grants;
use crate::acl::identity::Caller;
use crate::acl::rules::{Rules, Verdict};
use std::sync::Arc;

/// The name of the catalog among the resources of the registry.
pub const CATALOG: &str = "catalog";

/// Longest text of a question in bytes; names of repositories have at most 255. It bounds what a stranger's question
/// can cost.
pub const TEXT_BYTES_MAX: usize = 1024;

/// Rules and grants as they stood at one time.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The ordered rules.
    pub rules: Arc<Rules>,
    /// What is given beyond them.
    pub grants: Arc<Grants>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether they may.
    pub allowed: bool,
    /// What decided it.
    pub because: Because,
}

/// What decided. Places are counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// They are an administrator.
    Administrator,
    /// The rule at this place.
    Rule(usize),
    /// The rule at this place would take too much to find out whether it fits: more than a thousand combinations of
    /// labels, or an expression of many kilobytes. Denied, since the rule may be one that denies.
    TooMuch(usize),
    /// The resource, the action or the service has a name of more than `TEXT_BYTES_MAX`, which none has.
    TooLong,
    /// The grant at this place.
    Grant(usize),
    /// The catalog is open unless a rule closes it.
    Catalog,
    /// Nothing allows it.
    Nothing,
}

impl Policy {
    /// Decides.
    pub fn decide(&self, caller: &Caller<'_>, access: &Access<'_>) -> Decision {
        decide(&self.rules, &self.grants, caller, access)
    }
}

/// Decides.
pub fn decide(rules: &Rules, grants: &Grants, caller: &Caller<'_>, access: &Access<'_>) -> Decision {
    if caller.identity.admin {
        return Decision { allowed: true, because: Because::Administrator };
    }
    if [access.kind, access.name, access.action, caller.service]
        .iter()
        .any(|text| text.len() > TEXT_BYTES_MAX)
    {
        return Decision { allowed: false, because: Because::TooLong };
    }
    let catalog = is_catalog(access);
    let asked = Asked::of(caller, access);
    match rules.first(&asked, caller.address, catalog) {
        Some(Verdict { rule, allowed: Some(allowed) }) => Decision { allowed, because: Because::Rule(rule) },
        Some(Verdict { rule, allowed: None }) => Decision { allowed: false, because: Because::TooMuch(rule) },
        None if catalog => Decision { allowed: true, because: Because::Catalog },
        None => match grants.find(caller.identity, access) {
            Some(grant) => Decision { allowed: true, because: Because::Grant(grant) },
            None => Decision { allowed: false, because: Because::Nothing },
        },
    }
}

/// Whether this is about the list of repositories.
pub fn is_catalog(access: &Access<'_>) -> bool {
    access.kind == REGISTRY && access.name == CATALOG
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::access::Action;
    use crate::acl::config::Rule;
    use crate::acl::drawn::{self, grant_gives, questions, rule_fits};
    use crate::acl::grant::Grant;
    use crate::acl::identity::{AccountKind, Identity};
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct File {
        acl: Vec<Rule>,
    }

    fn policy(rules: &str, grants: &str) -> Policy {
        let rules = if rules.is_empty() { vec![] } else { toml::from_str::<File>(rules).unwrap().acl };
        let grants: Vec<Grant> = serde_json::from_str(grants).unwrap();
        Policy {
            rules: Rules::compile(&rules).unwrap().into(),
            grants: Grants::compile(grants).unwrap().into(),
        }
    }

    fn user(name: &str) -> Identity {
        Identity { kind: AccountKind::User, name: name.into(), ..Identity::anonymous() }
    }

    fn decide(policy: &Policy, identity: &Identity, access: &Access<'_>) -> Decision {
        policy.decide(&Caller { identity, address: None, service: "svc" }, access)
    }

    const RULES: &str = r#"
        [[acl]]
        match = { account = "admin" }
        actions = ["*"]
        [[acl]]
        match = { account = "readonly" }
        actions = ["pull"]
        [[acl]]
        match = { account = "someuser", name = "someuser/**" }
        actions = ["pull", "push", "delete"]
        [[acl]]
        match = { account = "", name = "hello-world" }
        actions = ["pull"]
    "#;

    /// Here `admin` has the flag of an administrator, or these.
    const GRANTS: &str = r#"[
        {"id":"1","subject":{"kind":"user","name":"admin"},"repository":"**","actions":["pull","push","delete"]},
        {"id":"2","subject":{"kind":"user","name":"readonly"},"repository":"**","actions":["pull"]},
        {"id":"3","subject":{"kind":"user","name":"someuser"},"repository":"someuser/**","actions":["pull","push","delete"]},
        {"id":"4","subject":{"kind":"anonymous"},"repository":"hello-world","actions":["pull"]}
    ]"#;

    #[test]
    fn the_policy_of_a_small_team_works_as_written_in_rules_and_in_grants() {
        for (policy, hello_for_all) in [(policy(RULES, "[]"), false), (policy("", GRANTS), true)] {
            let may = |identity: &Identity, name, action| {
                decide(&policy, identity, &Access::repository(name, action)).allowed
            };
            for name in
                ["hello-world", "someuser/a", "someuser/a/b", "someuser", "someuser2/a", "x/someuser/a", "z"]
            {
                for action in Action::ALL {
                    let pull = action == Action::Pull;
                    let hello = name == "hello-world" && pull;
                    assert!(may(&user("admin"), name, action));
                    assert_eq!(may(&user("readonly"), name, action), pull, "{name} {action}");
                    let own = name.starts_with("someuser/") || hello && hello_for_all;
                    assert_eq!(may(&user("someuser"), name, action), own, "{name} {action}");
                    assert_eq!(may(&Identity::anonymous(), name, action), hello, "{name} {action}");
                    assert_eq!(may(&user("stranger"), name, action), hello && hello_for_all);
                }
            }
        }
    }

    #[test]
    fn administrators_come_first_then_rules_then_grants() {
        let rules = "[[acl]]\nmatch = { name = \"closed/**\" }\nactions = []\n\
                     [[acl]]\nmatch = { account = \"joe\", name = \"joe/**\" }\nactions = [\"pull\"]";
        let all =
            r#"[{"id":"1","subject":{"kind":"anonymous"},"repository":"**","actions":["pull","push"]}]"#;
        let policy = policy(rules, all);
        let mut joe = user("joe");
        let push = |name| Access::repository(name, Action::Push);
        let because = |identity: &Identity, access: &Access<'_>| {
            let Decision { allowed, because } = decide(&policy, identity, access);
            (allowed, because)
        };
        assert_eq!(because(&joe, &push("closed/a")), (false, Because::Rule(0)));
        assert_eq!(
            because(&joe, &push("joe/a")),
            (false, Because::Rule(1)),
            "a rule decides for all actions"
        );
        assert_eq!(because(&joe, &Access::repository("joe/a", Action::Pull)), (true, Because::Rule(1)));
        assert_eq!(because(&joe, &push("open")), (true, Because::Grant(0)));
        let delete = Access::repository("open", Action::Delete);
        assert_eq!(because(&joe, &delete), (false, Because::Nothing));
        joe.admin = true;
        assert_eq!(because(&joe, &push("closed/a")), (true, Because::Administrator));
        let odd = Access { kind: "registry", name: "gc", action: "odd" };
        assert_eq!(because(&joe, &odd), (true, Because::Administrator));
    }

    #[test]
    fn the_catalog_is_open_unless_a_rule_with_a_type_closes_it() {
        let catalog = Access { kind: "registry", name: "catalog", action: "*" };
        let ask = |rules: &str, identity: &Identity| {
            let Decision { allowed, because } = decide(&policy(rules, "[]"), identity, &catalog);
            (allowed, because)
        };
        let joe = user("joe");
        assert_eq!(ask("", &joe), (true, Because::Catalog));
        assert_eq!(ask("", &Identity::anonymous()), (true, Because::Catalog));
        let everything = "[[acl]]\nmatch = {}\nactions = []";
        assert_eq!(ask(everything, &joe), (true, Because::Catalog));
        let by_name = "[[acl]]\nmatch = { name = \"catalog\" }\nactions = []";
        assert_eq!(ask(by_name, &joe), (true, Because::Catalog));
        let logged_in = "[[acl]]\nmatch = { account = \"/.+/\", type = \"registry\", name = \"catalog\" }\n\
                         actions = [\"*\"]\n[[acl]]\nmatch = { type = \"registry\" }\nactions = []";
        assert_eq!(ask(logged_in, &joe), (true, Because::Rule(0)));
        assert_eq!(ask(logged_in, &Identity::anonymous()), (false, Because::Rule(1)));
        for (kind, name) in
            [("registry", "api"), ("catalog", "catalog"), ("repository", "catalog"), ("x", "y")]
        {
            let other = Access { kind, name, action: "*" };
            let policy = policy(
                "",
                r#"[{"id":"1","subject":{"kind":"anonymous"},"repository":"**","actions":["pull"]}]"#,
            );
            assert_eq!(decide(&policy, &joe, &other).because, Because::Nothing, "{kind}:{name}");
        }
    }

    #[test]
    fn no_question_is_longer_than_a_kilobyte() {
        let policy = policy("[[acl]]\nmatch = {}\nactions = [\"*\"]", "[]");
        let long = "a".repeat(TEXT_BYTES_MAX + 1);
        let joe = user("joe");
        assert!(decide(&policy, &joe, &Access::repository(&long[1..], Action::Pull)).allowed);
        for (kind, name, action) in
            [(&*long, "a", "pull"), ("repository", &*long, "pull"), ("x", "a", &*long)]
        {
            let denied = Decision { allowed: false, because: Because::TooLong };
            assert_eq!(decide(&policy, &joe, &Access { kind, name, action }), denied);
        }
    }

    #[test]
    fn a_rule_that_takes_too_much_denies() {
        let rules = "[[acl]]\nmatch = { name = \"/^${labels:a}-${labels:b}$/\" }\nactions = []\n\
                     [[acl]]\nmatch = {}\nactions = [\"*\"]";
        let policy = policy(rules, "[]");
        let values: Vec<_> = (0..40).map(|n| format!("v{n}")).collect();
        let mut joe = user("joe");
        let pull = Access::repository("x", Action::Pull);
        assert_eq!(decide(&policy, &joe, &pull), Decision { allowed: true, because: Because::Rule(1) });
        joe.labels = [("a".into(), values.clone()), ("b".into(), values)].into();
        assert_eq!(decide(&policy, &joe, &pull), Decision { allowed: false, because: Because::TooMuch(0) });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn decides_as_looking_at_each_rule_and_each_grant_does(
            rules in prop::collection::vec(drawn::rules(), 0..6),
            grants in prop::collection::vec(drawn::grants(), 0..6),
            question in questions(),
            admin in prop::bool::weighted(0.05),
        ) {
            let policy = Policy {
                rules: Rules::compile(&rules).unwrap().into(),
                grants: Grants::compile(grants.clone()).unwrap().into(),
            };
            let mut question = question;
            question.identity.admin = admin;
            let catalog = question.kind == "registry" && question.name == "catalog";
            let counts = |rule: &&Rule| !catalog || rule.when.kind.is_some();
            let expected = match rules.iter().filter(counts).find(|rule| rule_fits(rule, &question)) {
                _ if admin => true,
                Some(rule) => rule.actions == ["*"] || rule.actions.contains(&question.action),
                None => catalog || grants.iter().any(|grant| grant_gives(grant, &question)),
            };
            prop_assert_eq!(policy.decide(&question.caller(), &question.access()).allowed, expected);
        }
    }
}
