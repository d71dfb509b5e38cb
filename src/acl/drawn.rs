//! For tests: accounts, questions, rules and grants out of a small world, in which much meets much; and docker_auth's
//! evaluation of rules written down as it is there, by inserting text, rule after rule.

use crate::acl::access::{Access, Action};
use crate::acl::config::{Match, Rule};
use crate::acl::glob::Glob;
use crate::acl::grant::{Grant, Subject};
use crate::acl::identity::{AccountKind, Caller, Identity};
use crate::acl::placeholder::Field;
use crate::acl::regexes::{between_slashes, compile};
use crate::acl::rules::network;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A question without borrowed parts.
#[derive(Debug, Clone)]
pub struct Question {
    pub identity: Identity,
    pub address: Option<IpAddr>,
    pub service: String,
    pub kind: String,
    pub name: String,
    pub action: String,
}

impl Question {
    pub fn caller(&self) -> Caller<'_> {
        Caller { identity: &self.identity, address: self.address, service: &self.service }
    }

    pub fn access(&self) -> Access<'_> {
        Access { kind: &self.kind, name: &self.name, action: &self.action }
    }
}

fn one_of(words: &[&str]) -> impl Strategy<Value = String> + use<> {
    select(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

pub fn identities() -> impl Strategy<Value = Identity> {
    let words = || prop::collection::vec(one_of(&["dev", "vip", "ops", "a.b", "team/*"]), 0..3);
    let labels = prop::collection::btree_map(one_of(&["groups", "team", "tier"]), words(), 0..3);
    let kind = select(vec![AccountKind::Anonymous, AccountKind::User, AccountKind::ServiceAccount]);
    (kind, one_of(&["joe", "ann", "joe@test.com", "dev"]), words(), labels).prop_map(
        |(kind, name, groups, labels)| match kind {
            AccountKind::Anonymous => Identity::anonymous(),
            kind => Identity { kind, name, admin: false, groups, labels },
        },
    )
}

pub fn questions() -> impl Strategy<Value = Question> {
    let names =
        ["joe/app", "joe", "dev", "dev/x", "dev/x/y", "dev-vip/x", "team/a", "catalog", "axb/z", "a.b/z"];
    let address = weighted(0.8, one_of(&["10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1", "::1", "2001:db8::1"]));
    let kind = one_of(&["repository", "repository", "repository", "registry", "x"]);
    let action = one_of(&["pull", "push", "delete", "*", "odd"]);
    (identities(), address, one_of(&["svc", "other"]), kind, one_of(&names), action).prop_map(
        |(identity, address, service, kind, name, action)| Question {
            identity,
            address: address.map(|text| text.parse().unwrap()),
            service,
            kind,
            name,
            action,
        },
    )
}

pub fn rules() -> impl Strategy<Value = Rule> {
    let account = ["joe", "", "/.+/", "/^(.+)@test.com$/", "*", "j?e", "/^${labels:team}$/", "/^(d)(ev)$/"];
    let name = [
        "joe/app",
        "joe/*",
        "dev*",
        "dev/**",
        "**",
        "${account}/*",
        "${account:1}/*",
        "/^${account}/",
        "/dev|vip/",
        "${labels:groups}-${labels:team}/*",
        "${labels:team}/*",
        "${labels:tier}",
        "/^${labels:groups}-?/",
        "catalog",
        "d[a-f]v/?",
        "${account:1}${account:2}/x",
    ];
    let kind = ["repository", "registry", "re*", "/y$/"];
    let networks = ["10.0.0.0/8", "::1", "127.0.0.1", "::ffff:10.0.0.0/104", "0.0.0.0/0", "2001:db8::/32"];
    let label = one_of(&["dev", "vip", "/^v/", "a.?", "${account}"]);
    let labels = prop::collection::btree_map(one_of(&["team", "tier"]), label, 0..2);
    let when = (
        weighted(0.4, one_of(&account)),
        weighted(0.6, one_of(&name)),
        weighted(0.2, one_of(&kind)),
        weighted(0.1, one_of(&["svc", "${service}", "o*"])),
        prop_oneof![4 => Just(vec![]), 1 => prop::collection::vec(one_of(&networks), 1..3)],
        weighted(0.15, one_of(&["dev", "/^.*s$/"])),
        prop_oneof![3 => Just(BTreeMap::new()), 1 => labels],
    )
        .prop_map(|(account, name, kind, service, ip, group, labels)| Match {
            account,
            name,
            kind,
            service,
            ip,
            group,
            labels,
        });
    let words = prop::collection::vec(one_of(&["pull", "push", "delete", "*", "odd"]), 0..3);
    (when, words, one_of(&["", "why"])).prop_map(|(when, actions, comment)| Rule { when, actions, comment })
}

pub fn grants() -> impl Strategy<Value = Grant> {
    let subject = (0..5, one_of(&["joe", "ann", "dev", "vip"])).prop_map(|(kind, name)| match kind {
        0 => Subject::User(name),
        1 => Subject::Group(name),
        2 => Subject::ServiceAccount(name),
        3 => Subject::Everyone,
        _ => Subject::Anonymous,
    });
    let globs = ["joe/app", "joe/*", "dev/**", "de*", "**", "*", "team/?", "d[a-f]v/x", "dev/x/y", "*/x"];
    let actions = prop::collection::vec(select(Action::ALL.to_vec()), 0..3);
    (subject, one_of(&globs), actions).prop_map(|(subject, repository, actions)| Grant {
        id: String::new(),
        subject,
        repository,
        actions,
    })
}

/// Whether a grant gives this, without any index.
pub fn grant_gives(grant: &Grant, question: &Question) -> bool {
    let identity = &question.identity;
    let meant = match &grant.subject {
        Subject::User(name) => identity.kind == AccountKind::User && identity.name == *name,
        Subject::ServiceAccount(name) => {
            identity.kind == AccountKind::ServiceAccount && identity.name == *name
        }
        Subject::Group(name) => identity.groups.contains(name),
        Subject::Everyone => identity.kind != AccountKind::Anonymous,
        Subject::Anonymous => true,
    };
    meant
        && question.kind == "repository"
        && grant.actions.iter().any(|action| action.as_str() == question.action)
        && Glob::new(&grant.repository).unwrap().matches(&question.name)
}

/// docker_auth's `MatchConditions.Matches`.
pub fn rule_fits(rule: &Rule, question: &Question) -> bool {
    let when = &rule.when;
    let field = |field| match field {
        Field::Account => &question.identity.name,
        Field::Kind => &question.kind,
        Field::Name => &question.name,
        Field::Service => &question.service,
    };
    let mut vars: Vec<(String, String)> = Vec::new();
    for one in Field::ALL {
        vars.push((format!("${{{}}}", one.as_str()), regex::escape(field(one))));
        let groups = when.pattern(one).and_then(between_slashes).and_then(|inner| compile(inner).ok());
        if let Some(found) = groups.as_ref().and_then(|regex| regex.captures(field(one))) {
            for group in 1..found.len() {
                let text = found.get(group).map_or("", |group| group.as_str());
                vars.push((format!("${{{}:{group}}}", one.as_str()), text.to_owned()));
            }
        }
    }
    let fields = Field::ALL.into_iter().all(|one| {
        when.pattern(one).is_none_or(|pattern| {
            text_fits(pattern, field(one), &vars)
                || combinations(pattern, &question.identity)
                    .into_iter()
                    .any(|labels| text_fits(pattern, field(one), &[vars.clone(), labels].concat()))
        })
    });
    let labels = when.label_patterns().all(|(label, pattern)| {
        question.identity.label_values(label).any(|value| text_fits(pattern, value, &vars))
    });
    let address = question.address.map(|address| address.to_canonical());
    let inside = |text: &String| address.is_some_and(|address| network(text).unwrap().contains(&address));
    fields && labels && (when.ip.is_empty() || when.ip.iter().any(inside))
}

fn combinations(pattern: &str, identity: &Identity) -> Vec<Vec<(String, String)>> {
    let mut all = vec![vec![]];
    let mut any = false;
    for label in ["groups", "team", "tier"] {
        let placeholder = format!("${{labels:{label}}}");
        let values: Vec<_> = identity.label_values(label).collect();
        if pattern.contains(&placeholder) && !values.is_empty() {
            any = true;
            all = all
                .iter()
                .flat_map(|one: &Vec<_>| {
                    let with = |value: &&str| {
                        [one.clone(), vec![(placeholder.clone(), (*value).to_owned())]].concat()
                    };
                    values.iter().map(with).collect::<Vec<_>>()
                })
                .collect();
        }
    }
    if any { all } else { vec![] }
}

fn text_fits(pattern: &str, text: &str, vars: &[(String, String)]) -> bool {
    let mut whole = String::new();
    let mut rest = pattern;
    while let Some(one) = rest.chars().next() {
        if let Some((key, value)) = vars.iter().find(|(key, _)| rest.starts_with(key.as_str())) {
            whole.push_str(value);
            rest = &rest[key.len()..];
        } else {
            whole.push(one);
            rest = &rest[one.len_utf8()..];
        }
    }
    match between_slashes(&whole) {
        Some(inner) => compile(inner).is_ok_and(|regex| regex.is_match(text)),
        None => Glob::new(&whole).is_ok_and(|glob| glob.matches(text)),
    }
}
