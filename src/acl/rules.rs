//! The ordered rules, read once and asked often. The first that fits decides, for or against, as in docker_auth.
//! Knows nothing of grants, and nothing of who has administrators.
//!
//! A rule is filed under one thing that must be true for it to fit (its account, one of its labels, the beginning of
//! its name), so that of a thousand rules a decision looks at a few.

use crate::acl::asked::Asked;
use crate::acl::config::{self, Match};
use crate::acl::pattern::Pattern;
use crate::acl::placeholder::Field;
use crate::acl::prefixes::Prefixes;
use crate::acl::regexes::{Fits, Memo};
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::IpAddr;

/// All rules.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    ordered: Vec<Rule>,
    memo: Memo,
    by_account: HashMap<String, Vec<u32>>,
    /// Label, then value.
    by_label: HashMap<String, HashMap<String, Vec<u32>>>,
    by_name: Prefixes,
}

#[derive(Debug, Clone)]
struct Rule {
    /// In the order of `Field::ALL`.
    fields: [Option<Pattern>; 4],
    networks: Option<Vec<IpNet>>,
    labels: Vec<(String, Pattern)>,
    actions: Actions,
    comment: String,
}

#[derive(Debug, Clone)]
enum Actions {
    /// `["*"]`: whatever is asked for.
    All,
    These(Vec<String>),
}

/// What the rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The rule that says it, counted from zero.
    pub rule: usize,
    /// `None`: it takes too much to find out whether the rule fits.
    pub allowed: Option<bool>,
}

impl Rules {
    /// Reads rules. The error has all mistakes, each in a sentence that names the rule.
    pub fn compile(rules: &[config::Rule]) -> Result<Self, Vec<String>> {
        let mut all = Self::default();
        let mut mistakes = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            let mut wrong = Vec::new();
            let read = Rule::compile(rule, &mut wrong);
            mistakes.extend(wrong.into_iter().map(|wrong| format!("{}: {wrong}", rule.title(place))));
            all.file(&read, place as u32);
            all.ordered.push(read);
        }
        if mistakes.is_empty() { Ok(all) } else { Err(mistakes) }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ordered.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }

    /// How messages name a rule.
    pub fn title(&self, place: usize) -> String {
        config::title(place, self.ordered.get(place).map_or("", |rule| &rule.comment))
    }

    /// What the first rule that fits says. With `typed`, only rules that have a `type` count.
    pub fn first(&self, asked: &Asked<'_>, address: Option<IpAddr>, typed: bool) -> Option<Verdict> {
        let address = address.map(|address| address.to_canonical());
        let mut search = Search { rules: self, asked, address, typed, best: None };
        search.among(self.by_account.get(asked.field(Field::Account)).map_or(&[], Vec::as_slice));
        for (label, values) in &self.by_label {
            for value in asked.identity.label_values(label) {
                search.among(values.get(value).map_or(&[], Vec::as_slice));
            }
        }
        for list in self.by_name.candidates(asked.field(Field::Name)) {
            search.among(list);
        }
        let (place, fits) = search.best?;
        let allowed = (fits == Fits::Yes).then(|| self.ordered[place].allows(asked.access.action));
        Some(Verdict { rule: place, allowed })
    }

    fn file(&mut self, rule: &Rule, number: u32) {
        let literal = |pattern: &Option<Pattern>| Some(pattern.as_ref()?.literal()?.to_owned());
        let [account, _, name, _] = &rule.fields;
        let label = rule
            .labels
            .iter()
            .find_map(|(label, pattern)| Some((label.clone(), pattern.literal()?.to_owned())));
        if let Some(account) = literal(account) {
            self.by_account.entry(account).or_default().push(number);
        } else if let Some((label, value)) = label {
            self.by_label.entry(label).or_default().entry(value).or_default().push(number);
        } else if let Some(glob) = name.as_ref().and_then(Pattern::glob) {
            self.by_name.add(glob, number);
        } else {
            self.by_name.add_open(name.as_ref().map_or("", Pattern::prefix), number);
        }
    }
}

struct Search<'a> {
    rules: &'a Rules,
    asked: &'a Asked<'a>,
    address: Option<IpAddr>,
    typed: bool,
    /// The first rule so far that fits, or may.
    best: Option<(usize, Fits)>,
}

impl Search<'_> {
    /// Looks at rules in order, as long as they come before the best one.
    fn among(&mut self, places: &[u32]) {
        for place in places.iter().map(|place| *place as usize) {
            if self.best.is_some_and(|(best, _)| best <= place) {
                return;
            }
            let rule = &self.rules.ordered[place];
            if self.typed && rule.fields[1].is_none() {
                continue;
            }
            let fits = rule.fits(self.asked, self.address, &self.rules.memo);
            if fits != Fits::No {
                self.best = Some((place, fits));
                return;
            }
        }
    }
}

impl Rule {
    fn compile(rule: &config::Rule, wrong: &mut Vec<String>) -> Self {
        let when = &rule.when;
        let mut pattern = |key: &str, text: &str, of_label| {
            let read = Pattern::compile(text, when, of_label);
            read.map_err(|mistake| wrong.push(format!("`{key}`: {mistake}"))).ok()
        };
        let fields =
            Field::ALL.map(|field| when.pattern(field).and_then(|text| pattern(field.as_str(), text, false)));
        let labels = when
            .label_patterns()
            .filter_map(|(label, text)| Some((label.to_owned(), pattern(label, text, true)?)))
            .collect();
        let networks = networks(when, wrong);
        let actions = match rule.actions.as_slice() {
            [all] if all == "*" => Actions::All,
            these => Actions::These(these.to_vec()),
        };
        Self { fields, networks, labels, actions, comment: rule.comment.clone() }
    }

    /// Whether all that is given fits. The cheap things come first; their order changes nothing.
    fn fits(&self, asked: &Asked<'_>, address: Option<IpAddr>, memo: &Memo) -> Fits {
        if let Some(networks) = &self.networks
            && !address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
        {
            return Fits::No;
        }
        let mut outcome = Fits::Yes;
        for (pattern, field) in self.fields.iter().zip(Field::ALL) {
            let Some(pattern) = pattern else { continue };
            match pattern.fits(asked.field(field), asked, memo) {
                Fits::Yes => {}
                Fits::No => return Fits::No,
                Fits::Unknown => outcome = Fits::Unknown,
            }
        }
        for (label, pattern) in &self.labels {
            match any_value(label, pattern, asked, memo) {
                Fits::Yes => {}
                Fits::No => return Fits::No,
                Fits::Unknown => outcome = Fits::Unknown,
            }
        }
        outcome
    }

    fn allows(&self, action: &str) -> bool {
        match &self.actions {
            Actions::All => true,
            Actions::These(words) => words.iter().any(|word| word == action),
        }
    }
}

fn any_value(label: &str, pattern: &Pattern, asked: &Asked<'_>, memo: &Memo) -> Fits {
    let mut outcome = Fits::No;
    for value in asked.identity.label_values(label) {
        match pattern.fits(value, asked, memo) {
            Fits::Yes => return Fits::Yes,
            Fits::No => {}
            Fits::Unknown => outcome = Fits::Unknown,
        }
    }
    outcome
}

/// The networks of a `match`; `None` if it has none.
fn networks(when: &Match, wrong: &mut Vec<String>) -> Option<Vec<IpNet>> {
    let read = |text: &String| {
        network(text).or_else(|| {
            wrong.push(format!("`ip`: {text:?} is neither an address nor a network such as 10.0.0.0/8"));
            None
        })
    };
    (!when.ip.is_empty()).then(|| when.ip.iter().filter_map(read).collect())
}

/// An address or a network. IPv4 in the clothes of IPv6 is IPv4, as addresses are before they are compared.
pub fn network(text: &str) -> Option<IpNet> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    let plain = match (net.addr().to_canonical(), net.addr(), net.prefix_len()) {
        (IpAddr::V4(four), IpAddr::V6(_), long @ 96..) => IpNet::new(four.into(), long - 96).ok()?,
        _ => net,
    };
    Some(plain.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::drawn::{Question, questions, rule_fits, rules};
    use proptest::prelude::*;

    fn first(rules: &Rules, question: &Question, typed: bool) -> Option<Verdict> {
        rules.first(&Asked::of(&question.caller(), &question.access()), question.address, typed)
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let rule = |when, comment: &str| config::Rule { when, comment: comment.into(), actions: vec![] };
        let wrong = [
            rule(
                Match {
                    name: Some("[a".into()),
                    account: Some("/(/".into()),
                    ip: vec!["10.0.0.0/33".into(), "::1".into(), "localhost".into()],
                    ..Match::default()
                },
                "why",
            ),
            rule(Match::default(), ""),
            rule(Match { group: Some("/[[:x:]]/".into()), ..Match::default() }, ""),
        ];
        let told = Rules::compile(&wrong).unwrap_err();
        assert_eq!(told.len(), 5, "{told:#?}");
        assert!(told[..4].iter().all(|told| told.starts_with("rule 1 (\"why\"): `")), "{told:#?}");
        assert!(told[4].starts_with("rule 3: `groups`: "), "{told:#?}");
    }

    #[test]
    fn networks_are_read() {
        for (text, inside, outside) in [
            ("192.168.0.1", "192.168.0.1", "192.168.0.2"),
            ("10.1.2.3/8", "10.9.9.9", "11.0.0.0"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "::1"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("2001:db8::/48", "2001:db8::2", "2001:db9::"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("::/0", "2001:db8::2", "1.2.3.4"),
        ] {
            let network = network(text).unwrap();
            assert!(network.contains(&inside.parse::<IpAddr>().unwrap()), "{text}");
            assert!(!network.contains(&outside.parse::<IpAddr>().unwrap()), "{text}");
        }
        for bad in ["192.168.0.1/100", "192.168.0.*", "foo", "2001:db8::/222", "", " ::1"] {
            assert!(network(bad).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_first_that_fits_is_found_as_by_looking_at_each(
            list in prop::collection::vec(rules(), 0..12), question in questions(), typed: bool
        ) {
            let compiled = Rules::compile(&list).unwrap();
            let counts = |rule: &config::Rule| !typed || rule.when.kind.is_some();
            let naive = list.iter().position(|rule| counts(rule) && rule_fits(rule, &question));
            let found = first(&compiled, &question, typed);
            prop_assert_eq!(found.map(|verdict| verdict.rule), naive);
            if let Some(Verdict { rule, allowed }) = found {
                let words = &list[rule].actions;
                let expected = *words == ["*"] || words.contains(&question.action);
                prop_assert_eq!(allowed, Some(expected));
            }
        }

        #[test]
        fn never_panics(texts in prop::collection::vec("\\PC{0,12}", 8), question in questions()) {
            let [a, b, c, d, e, f, g, h] = texts.try_into().unwrap();
            let when = Match {
                account: Some(a.clone()),
                name: Some(b.clone()),
                kind: Some(c),
                service: Some(d),
                ip: vec![e],
                group: Some(f),
                labels: [(g, h)].into(),
            };
            let _ = Rules::compile(&[config::Rule { when, ..Default::default() }]);
            let when = Match { name: Some(b), ..Match::default() };
            if let Ok(rules) = Rules::compile(&[config::Rule { when, ..Default::default() }]) {
                first(&rules, &Question { name: a, ..question }, false);
            }
        }
    }
}
