//! One rule of docker_auth's `acl`: what it matches, what it gives, and what is wrong or dangerous in it. A key that
//! docker_auth does not know is the most dangerous mistake there is: it was ignored, and the rule matched more than it
//! says.

use crate::app::import::docker_auth::pattern;
use crate::app::import::docker_auth::placeholders::Patterns;
use crate::app::import::docker_auth::regexes;
use crate::app::import::fields::Fields;
use crate::app::import::report::{Report, shown};
use crate::app::import::yaml::{Key, Node, Value};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The keys of a match, in docker_auth's order.
const MATCH: [&str; 6] = ["account", "type", "name", "ip", "service", "labels"];
const PATTERNS: [&str; 4] = ["account", "type", "name", "service"];
const ACTIONS: [&str; 4] = ["pull", "push", "delete", "*"];

/// A rule as it is carried.
#[derive(Debug, Clone, Default)]
pub struct Rule {
    /// Its place in the list, from 1.
    pub number: usize,
    /// Its line.
    pub line: u64,
    /// `account`, `type`, `name` and `service`, those that are given.
    pub patterns: Vec<(&'static str, String)>,
    /// The networks of callers.
    pub ip: Option<IpNet>,
    /// Patterns of labels.
    pub labels: Vec<(String, String)>,
    /// What it gives.
    pub actions: Vec<String>,
    /// What its author says of it.
    pub comment: Option<String>,
    /// Why it never matches.
    pub dead: Vec<String>,
    /// What is dangerous in it.
    pub traps: Vec<String>,
}

impl Rule {
    /// `rule 3 (line 17)`.
    pub fn called(&self) -> String {
        format!("rule {} (line {})", self.number, self.line)
    }

    /// A pattern, if it is given.
    pub fn pattern(&self, field: &str) -> Option<&str> {
        self.patterns.iter().find(|(name, _)| *name == field).map(|(_, text)| text.as_str())
    }

    /// Whether it asks nothing about who the caller is.
    pub fn is_for_everybody(&self) -> bool {
        let account = self.pattern("account");
        let any = account.is_none_or(|text| {
            matches!(text, "*") || pattern::expression(text).is_some_and(regexes::matches_all)
        });
        any && self.labels.is_empty()
    }
}

/// Reads a rule. What is wrong with it is told with its number.
pub fn read(number: usize, node: &Node, report: &mut Report) -> Option<Rule> {
    let before = report.mistakes.len();
    let rule = Rule { number, line: node.line, ..Rule::default() };
    if !matches!(node.value, Value::Map(_)) {
        report.mistake(format!("{} is not a section with match and actions", rule.called()));
        return None;
    }
    let keys = ["match", "actions", "comment"];
    let fields = Fields::open(Some(node), &format!("acl[{number}]"), &keys, report);
    let mut reader = Reader { rule, captures: BTreeSet::new(), report };
    reader.actions(&fields);
    reader.rule.comment = fields.text("comment", reader.report).map(ToOwned::to_owned);
    match fields.node("match") {
        Some(Node { value: Value::Map(entries), .. }) => reader.conditions(entries),
        _ => reader.mistake(
            "has no match: docker_auth ends with an error there. A rule for everybody says match: {}",
        ),
    }
    (reader.report.mistakes.len() == before).then_some(reader.rule)
}

struct Reader<'a> {
    rule: Rule,
    /// The placeholders of groups that docker_auth fills in.
    captures: BTreeSet<String>,
    report: &'a mut Report,
}

impl Reader<'_> {
    fn mistake(&mut self, text: impl std::fmt::Display) {
        self.report.mistake(format!("{}: {text}", self.rule.called()));
    }

    fn actions(&mut self, fields: &Fields<'_>) {
        if !fields.has("actions") {
            self.mistake(
                "has no actions: docker_auth breaks when it meets that. A rule that gives nothing says actions: []",
            );
            return;
        }
        let given = fields.list("actions", self.report).unwrap_or_default();
        let alone = given.len() == 1;
        for action in &given {
            if action == "*" && !alone {
                self.rule.traps.push(
                    "\"*\" gives everything only when it stands alone; beside others it is an action of that name, \
                     which only the catalog has"
                        .into(),
                );
            } else if !ACTIONS.contains(&action.as_str()) {
                self.rule
                    .traps
                    .push(format!("{} is no action of a registry, and gives nothing", shown(action)));
            }
        }
        self.rule.actions = given;
    }

    fn conditions(&mut self, entries: &[(Key, Node)]) {
        let is_known = |key: &Key| MATCH.contains(&key.name.as_str());
        let left = entries.iter().filter(|(key, node)| is_known(key) && !node.is_null()).count();
        for (key, node) in entries {
            let wanted = if key.name == "labels" { "a section" } else { "a text" };
            if !is_known(key) {
                self.report.mistake(hole(&self.rule, &key.name, key.line, left));
            } else if node.is_null() {
                self.mistake(format!(
                    "match.{0} is empty (line {1}), which docker_auth takes for \"any {0}\". Leave the key out if \
                     that is meant; write \"\" for the empty text (account: \"\" is anonymous)",
                    key.name, key.line
                ));
            } else if node.kind() != wanted {
                self.mistake(format!("match.{} is not {wanted} (line {})", key.name, node.line));
            }
        }
        let given =
            |field: &str| entries.iter().find(|(key, _)| key.name == field).map(|(_, node)| &node.value);
        let text = |field: &str| match given(field) {
            Some(Value::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        self.captures = Patterns { given: PATTERNS.map(|field| (field, text(field))) }.captures();
        for field in PATTERNS {
            if let Some(pattern) = text(field).and_then(|text| self.pattern(field, text, true)) {
                self.rule.patterns.push((field, pattern));
            }
        }
        if let Some(given) = text("ip") {
            self.rule.ip = network(given);
            if self.rule.ip.is_none() {
                self.mistake(format!(
                    "match.ip {} is neither an address nor a network; docker_auth does not start with it",
                    shown(given)
                ));
            }
        }
        if let Some(Value::Map(labels)) = given("labels") {
            self.labels(labels);
        }
    }

    fn labels(&mut self, labels: &[(Key, Node)]) {
        for (key, node) in labels {
            let plain = key.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
            let field = format!("labels.{}", if plain { key.name.clone() } else { shown(&key.name) });
            let Value::Text(given) = &node.value else {
                self.mistake(format!("match.{field} is not a text (line {})", node.line));
                continue;
            };
            if let Some(pattern) = self.pattern(&field, given, false) {
                self.rule.labels.push((key.name.clone(), pattern));
            }
        }
    }

    /// Reads a pattern and keeps what there is to say about it.
    fn pattern(&mut self, field: &str, given: &str, labels: bool) -> Option<String> {
        match pattern::read(given, &self.captures, labels) {
            Ok(pattern) => {
                let say = |text: String| format!("{field} {}: {text}", shown(given));
                self.rule.dead.extend(pattern.dead.map(say));
                self.rule.traps.extend(pattern.traps.into_iter().map(say));
                Some(pattern.text)
            }
            Err(why) => {
                self.mistake(format!("match.{field} {}: {why}", shown(given)));
                None
            }
        }
    }
}

/// What an unknown key of a match really did.
fn hole(rule: &Rule, key: &str, line: u64, left: usize) -> String {
    let gives = match rule.actions.as_slice() {
        [] => "nothing, whatever later rules say".to_owned(),
        [all] if all == "*" => "everything".to_owned(),
        some => some.join(", "),
    };
    let effect = if left == 0 {
        format!(
            "so the match is empty and the rule is for EVERYBODY: it gives everybody, anonymous too if that is \
             allowed, {gives} on every repository"
        )
    } else {
        format!("so the rule matches more than it says, and gives {gives} there")
    };
    let advice = match key {
        "team" | "teams" => "write labels: {teams: ..}".to_owned(),
        "group" | "groups" | "title" | "role" | "roles" | "label" => format!("write labels: {{{key}: ..}}"),
        other => match crate::app::config::tree::nearest(other, MATCH.into_iter()) {
            Some(near) => format!("did you mean {near}?"),
            None => "a match has account, type, name, ip, service and labels".to_owned(),
        },
    };
    format!(
        "trap 4: {}: match.{} is not a key (line {line}). docker_auth ignores it, {effect}. Correct the file, and look \
         at who used that; {advice}",
        rule.called(),
        shown(key)
    )
}

/// An address or a network, as Go reads it: `10.1.2.3/8` is 10.0.0.0/8, and `::ffff:10.0.0.1` is 10.0.0.1.
fn network(text: &str) -> Option<IpNet> {
    let net = match text.split_once('/') {
        Some(_) => text.parse::<IpNet>().ok()?,
        None => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    let net = match net {
        IpNet::V6(six) if six.prefix_len() >= 96 => match six.addr().to_ipv4_mapped() {
            Some(four) => IpNet::new(IpAddr::V4(four), six.prefix_len() - 96).ok()?,
            None => net,
        },
        other => other,
    };
    Some(net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::import::yaml::parse;

    fn of(yaml: &str) -> (Option<Rule>, Vec<String>) {
        let mut report = Report::default();
        let rule = read(7, &parse(yaml).unwrap(), &mut report);
        (rule, report.mistakes)
    }

    fn good(yaml: &str) -> Rule {
        let (rule, mistakes) = of(yaml);
        rule.unwrap_or_else(|| panic!("{yaml}: {mistakes:?}"))
    }

    #[test]
    fn the_github_example_is_told_for_what_it_is() {
        let (rule, mistakes) = of("match: {team: infrastructure}\nactions: [pull, push]\n");
        assert!(rule.is_none());
        let told = &mistakes[0];
        for part in
            ["trap 4", "rule 7", "line 1", "\"team\"", "EVERYBODY", "pull, push", "labels: {teams: ..}"]
        {
            assert!(told.contains(part), "{part:?} is not in {told}");
        }
    }

    #[test]
    fn an_unknown_key_beside_known_ones_widens_the_rule() {
        for (yaml, part) in [
            ("match: {account: x, nmae: y}\nactions: ['*']\n", "did you mean name?"),
            ("match: {account: x, email: y}\nactions: []\n", "matches more than it says"),
            ("match: {Account: x}\nactions: []\n", "EVERYBODY"),
            ("match: {account: , group: y}\nactions: ['*']\n", "EVERYBODY"),
        ] {
            let (rule, mistakes) = of(yaml);
            assert!(rule.is_none());
            assert!(mistakes.iter().any(|told| told.contains(part)), "{yaml}: {mistakes:?}");
        }
    }

    #[test]
    fn what_docker_auth_would_break_on_or_read_as_anybody_is_refused() {
        for (yaml, part) in [
            ("actions: ['*']\n", "no match"),
            ("match:\nactions: ['*']\n", "no match"),
            ("match: {}\n", "no actions"),
            ("match: {account: }\nactions: ['*']\n", "\"any account\""),
            ("match: {ip: 10.0.0}\nactions: []\n", "neither an address"),
            ("match: {ip: 10.0.0.0/33}\nactions: []\n", "neither an address"),
            ("match: {name: [a]}\nactions: []\n", "match.name is not a text"),
            ("match: {labels: a}\nactions: []\n", "match.labels is not a section"),
            ("match: {labels: {a: }}\nactions: []\n", "not a text"),
            ("match: {}\nactions: all\n", "list of texts"),
            ("match: {}\nactions: []\naction: ['*']\n", "did you mean"),
            ("match: {name: '/^${x}$/'}\nactions: []\n", "fills in"),
            ("[]", "not a section"),
        ] {
            let (rule, mistakes) = of(yaml);
            assert!(rule.is_none(), "{yaml}");
            assert!(mistakes.iter().any(|told| told.contains(part)), "{yaml}: {mistakes:?}");
        }
    }

    #[test]
    fn addresses_and_networks_become_what_go_makes_of_them() {
        for (given, expected) in [
            ("127.0.0.0/8", "127.0.0.0/8"),
            ("::1", "::1/128"),
            ("172.17.0.1", "172.17.0.1/32"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("::ffff:10.0.0.1", "10.0.0.1/32"),
            ("::ffff:10.1.0.0/104", "10.0.0.0/8"),
            ("2001:db8::1/32", "2001:db8::/32"),
        ] {
            assert_eq!(network(given).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_star_among_others_is_not_everything() {
        let rule = good("match: {}\nactions: ['*', pull, read]\n");
        assert_eq!(rule.actions, ["*", "pull", "read"], "it means the same here");
        assert_eq!(rule.traps.len(), 2, "{:?}", rule.traps);
        let rule = good("match: {}\nactions: ['*']\n");
        assert!(rule.actions == ["*"] && rule.traps.is_empty());
    }

    #[test]
    fn captures_of_one_field_are_known_in_the_others() {
        let rule = good("match: {account: '/^(.+)@test.com$/', name: '${account:1}/**'}\nactions: []\n");
        assert_eq!(rule.pattern("name"), Some("${account:1}/*"));
        assert!(rule.dead.is_empty() && rule.traps.is_empty(), "{rule:?}");
        let rule = good("match: {account: joe, name: '${account:1}/*'}\nactions: []\n");
        assert!(rule.dead[0].contains("${account:1}"), "{rule:?}");
    }

    #[test]
    fn who_a_rule_is_for() {
        for (matching, everybody) in [
            ("{}", true),
            ("{ip: 10.0.0.1}", true),
            ("{account: '/.+/', ip: 10.0.0.1}", true),
            ("{account: '*'}", true),
            ("{account: ''}", false),
            ("{account: 'a*'}", false),
            ("{labels: {a: b}}", false),
        ] {
            let rule = good(&format!("match: {matching}\nactions: []\n"));
            assert_eq!(rule.is_for_everybody(), everybody, "{matching}");
        }
    }
}
