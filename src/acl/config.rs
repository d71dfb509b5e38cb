//! `[[acl]]`: the ordered rules as the configuration writes them. Nothing is judged here but the form; `rules.rs` reads
//! the patterns and the networks.
//!
//! ```toml
//! [[acl]]
//! match = { account = "test", name = "test-*" }
//! actions = ["pull", "push"]
//! comment = "why"
//! ```

use crate::acl::identity::GROUPS;
use crate::acl::placeholder::Field;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// A rule. Of all rules the first whose `match` fits decides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is about: every field that is given must fit. `{}` fits everything, and has to be said.
    #[serde(rename = "match")]
    pub when: Match,
    /// What it allows: words such as `pull`, `push` and `delete`, or `["*"]`, which is all that is asked for. Everything
    /// else it denies; `[]` denies all.
    pub actions: Vec<String>,
    /// Why it is there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// When a rule counts. The texts are patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The name of the account; `""` is everybody who did not log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The name of the repository, or of whatever `type` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `repository` or `registry`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The service (token audience).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Addresses and networks, one of which the caller's must be in. A text, or a list of texts that is not empty.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "one_or_more",
        serialize_with = "shortest"
    )]
    pub ip: Vec<String>,
    /// One of the groups: the same as `labels = { groups = .. }`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// For each of these labels one of its values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Match {
    /// The pattern of a field.
    pub fn pattern(&self, field: Field) -> Option<&str> {
        match field {
            Field::Account => self.account.as_deref(),
            Field::Kind => self.kind.as_deref(),
            Field::Name => self.name.as_deref(),
            Field::Service => self.service.as_deref(),
        }
    }

    /// Labels with their patterns, the group among them.
    pub fn label_patterns(&self) -> impl Iterator<Item = (&str, &str)> {
        let group = self.group.iter().map(|pattern| (GROUPS, pattern.as_str()));
        group.chain(self.labels.iter().map(|(label, pattern)| (label.as_str(), pattern.as_str())))
    }

    /// Whether it fits everything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Rule {
    /// How messages name the rule at a place, which is counted from zero: `rule 3 ("why")`.
    pub fn title(&self, place: usize) -> String {
        title(place, &self.comment)
    }
}

/// How messages name a rule.
pub fn title(place: usize, comment: &str) -> String {
    match comment {
        "" => format!("rule {}", place + 1),
        comment => format!("rule {} ({comment:?})", place + 1),
    }
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Visitor;

    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address or a network such as \"10.0.0.0/8\", or a list of them that is not empty")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<String>, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut texts: A) -> Result<Vec<String>, A::Error> {
            let mut found = Vec::new();
            while let Some(text) = texts.next_element()? {
                found.push(text);
            }
            // nothing to be in would read like no condition at all
            if found.is_empty() { Err(serde::de::Error::invalid_length(0, &self)) } else { Ok(found) }
        }
    }

    deserializer.deserialize_any(Visitor)
}

fn shortest<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    match texts {
        [one] => serializer.serialize_str(one),
        many => many.serialize(serializer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct File {
        acl: Vec<Rule>,
    }

    fn read(text: &str) -> Result<Vec<Rule>, String> {
        toml::from_str::<File>(text).map(|file| file.acl).map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_is_read_and_written() {
        let rules = read(
            r#"
            [[acl]]
            match = { account = "a", name = "n", type = "t", service = "s", ip = "10.0.0.0/8", group = "dev", labels = { team = "x" } }
            actions = ["pull", "push"]
            comment = "why"
            [[acl]]
            match = { ip = ["::1", "127.0.0.1"] }
            actions = ["*"]
            [[acl]]
            match = {}
            actions = []
            "#,
        )
        .unwrap();
        assert_eq!(rules[0].when.label_patterns().collect::<Vec<_>>(), [("groups", "dev"), ("team", "x")]);
        assert_eq!((rules[0].when.ip.len(), rules[1].when.ip.len()), (1, 2));
        assert!(rules[2].when.is_empty() && !rules[1].when.is_empty());
        assert_eq!(rules[2], Rule::default());
        let written = toml::to_string(&File { acl: rules.clone() }).unwrap();
        assert_eq!(read(&written).unwrap(), rules, "{written}");
        assert!(written.contains("ip = \"10.0.0.0/8\""), "{written}");
    }

    /// docker_auth reads `match: {team: ..}` as a match of everything.
    #[test]
    fn what_is_not_known_or_not_said_is_refused() {
        for (bad, says) in [
            ("match = { team = \"infrastructure\" }\nactions = [\"*\"]", "team"),
            ("match = {}\nactions = []\nname = \"x\"", "name"),
            ("actions = [\"*\"]", "match"),
            ("match = {}", "actions"),
            ("match = { ip = [] }\nactions = [\"*\"]", "not empty"),
            ("match = { ip = 7 }\nactions = []", "network"),
        ] {
            let told = read(&format!("[[acl]]\n{bad}")).unwrap_err();
            assert!(told.contains(says), "{told}");
        }
    }
}
