//! Whether one rule leaves nothing to a later one. Sound and not complete: what is said to be covered is, whoever asks;
//! of what is covered by a clever expression nothing is said. Knows nothing of what rules allow.

use crate::acl::access::REGISTRY;
use crate::acl::config::{Match, Rule};
use crate::acl::pattern::Pattern;
use crate::acl::placeholder::{Field, Piece, pieces};
use crate::acl::policy::CATALOG;
use crate::acl::regexes::between_slashes;
use crate::acl::rules::network;
use crate::acl::tokens::{Token, Tokens};
use ipnet::IpNet;

/// The `match` of a rule that could be read.
pub struct Shape<'a> {
    when: &'a Match,
    fields: [Option<Read<'a>>; 4],
    labels: Vec<(&'a str, Read<'a>)>,
    networks: Vec<IpNet>,
}

struct Read<'a> {
    text: &'a str,
    pattern: Pattern,
}

impl<'a> Shape<'a> {
    /// Reads one. `None`: it is malformed.
    pub fn read(rule: &'a Rule) -> Option<Self> {
        let when = &rule.when;
        let read = |text, of_label| {
            Pattern::compile(text, when, of_label).ok().map(|pattern| Read { text, pattern })
        };
        let mut fields = [const { None }; 4];
        for (slot, field) in fields.iter_mut().zip(Field::ALL) {
            if let Some(text) = when.pattern(field) {
                *slot = Some(read(text, false)?);
            }
        }
        let labels = when.label_patterns().map(|(label, text)| Some((label, read(text, true)?)));
        let networks = when.ip.iter().map(|text| network(text));
        Some(Self {
            when,
            fields,
            labels: labels.collect::<Option<_>>()?,
            networks: networks.collect::<Option<_>>()?,
        })
    }

    /// The pattern of a field, if it has one.
    pub fn field(&self, field: Field) -> Option<&Pattern> {
        let place = Field::ALL.iter().position(|known| *known == field)?;
        Some(&self.fields[place].as_ref()?.pattern)
    }

    /// Its networks; none if it has no `ip`.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// Whether this, being earlier, fits wherever a later one does.
    pub fn covers(&self, later: &Self) -> bool {
        let networks = self.networks.is_empty()
            || !later.networks.is_empty()
                && later.networks.iter().all(|net| self.networks.iter().any(|own| own.contains(net)));
        let fields = self.fields.iter().zip(&later.fields).all(|pair| match pair {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(other)) => self.pattern_covers(own, later, other),
        });
        let labels = self.labels.iter().all(|(label, own)| {
            let mut same = later.labels.iter().filter(|(other, _)| other == label);
            same.any(|(_, other)| self.pattern_covers(own, later, other))
        });
        networks && fields && labels && !(self.when.kind.is_none() && later.may_be_about_the_catalog())
    }

    /// A rule without a type does not decide about the catalog.
    fn may_be_about_the_catalog(&self) -> bool {
        let may =
            |field, value| self.field(field).is_none_or(|pattern| pattern.always_fits(value) != Some(false));
        self.when.kind.is_some() && may(Field::Kind, REGISTRY) && may(Field::Name, CATALOG)
    }

    fn pattern_covers(&self, own: &Read<'_>, later: &Self, other: &Read<'_>) -> bool {
        if own.text == other.text && self.same_groups(own.text, later) {
            return true;
        }
        if let Some(only) = other.pattern.literal() {
            return own.pattern.always_fits(only) == Some(true);
        }
        let begins = other.pattern.prefix();
        match own.pattern.glob().map(Tokens::parts) {
            Some([Token::Across]) => true,
            Some([Token::Literal(prefix), Token::Across]) => begins.starts_with(prefix),
            Some(_) => false,
            None => match between_slashes(own.text) {
                Some(".*") => true,
                Some(".+" | ".") => begins.contains(|c| c != '\n'),
                _ => false,
            },
        }
    }

    /// Whether the groups that a pattern names are the same in both.
    fn same_groups(&self, text: &str, later: &Self) -> bool {
        let mut named = pieces(text).unwrap_or_default().into_iter();
        named.all(|piece| match piece {
            Piece::Capture(field, _) => self.when.pattern(field) == later.when.pattern(field),
            _ => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::drawn::{questions, rule_fits, rules};
    use proptest::prelude::*;

    fn covers(earlier: Match, later: Match) -> bool {
        let rule = |when| Rule { when, ..Rule::default() };
        let (earlier, later) = (rule(earlier), rule(later));
        Shape::read(&earlier).unwrap().covers(&Shape::read(&later).unwrap())
    }

    fn account_and_name(account: &str, name: &str) -> Match {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Match { account: given(account), name: given(name), ..Match::default() }
    }

    #[test]
    fn what_is_plainly_covered_is_seen() {
        for (earlier, later, expected) in [
            (("joe", ""), ("joe", "a/*"), true),
            (("joe", "a/*"), ("joe", ""), false),
            (("joe", ""), ("ann", ""), false),
            (("/.+/", ""), ("joe", "a"), true),
            (("/.+/", ""), ("jo*", "a"), true),
            (("/.+/", ""), ("*", "a"), false),
            (("", "**"), ("joe", "/^a/"), true),
            (("", "a/**"), ("", "a/b*"), true),
            (("", "a/**"), ("", "a/${account}/*"), true),
            (("", "a/**"), ("", "a*"), false),
            (("", "a/*"), ("", "a/b"), true),
            (("", "a/*"), ("", "a/b/c"), false),
            (("", "${account}/*"), ("joe", "${account}/*"), true),
            (("/^(.)/", "${account:1}"), ("/^(.)/", "${account:1}"), true),
            (("/.*/", "${account:1}"), ("/^(.)/", "${account:1}"), false),
        ] {
            let found = covers(account_and_name(earlier.0, earlier.1), account_and_name(later.0, later.1));
            assert_eq!(found, expected, "{earlier:?} before {later:?}");
        }
        let from = |ip: &str| Match { ip: vec![ip.into()], ..Match::default() };
        assert!(
            covers(from("10.0.0.0/8"), from("10.1.0.0/16"))
                && !covers(from("10.1.0.0/16"), from("10.0.0.0/8"))
        );
        let group = Match { group: Some("dev".into()), ..Match::default() };
        let label = Match { labels: [("groups".into(), "dev".into())].into(), ..Match::default() };
        assert!(covers(group.clone(), label.clone()) && covers(label, group.clone()));
        assert!(!covers(group, Match::default()));
        let catalog = Match { kind: Some("registry".into()), ..account_and_name("joe", "catalog") };
        assert!(!covers(account_and_name("joe", ""), catalog), "it does not decide about the catalog");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn what_is_said_to_be_covered_is(earlier in rules(), later in rules(), question in questions()) {
            if Shape::read(&earlier).unwrap().covers(&Shape::read(&later).unwrap()) {
                let catalog = question.kind == REGISTRY && question.name == CATALOG;
                let decides =
                    |rule: &Rule| (!catalog || rule.when.kind.is_some()) && rule_fits(rule, &question);
                prop_assert!(!decides(&later) || decides(&earlier));
            }
        }
    }
}
