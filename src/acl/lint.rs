//! Looks for what is most likely not meant in rules that can be read: what never matches, what matches more than it
//! seems to, what is never reached. Does not find everything, and judges an expression by its look.

use crate::acl::access::{Action, REPOSITORY};
use crate::acl::config::{Match, Rule};
use crate::acl::glob::{Part, read};
use crate::acl::lint_regex::{is_anchored, is_name};
use crate::acl::placeholder::{Field, Piece, forgotten_dollar, pieces};
use crate::acl::regexes::between_slashes;
use crate::acl::rules::{Rules, network};
use crate::acl::shadow::Shape;
use crate::acl::template::source_of_group;
use crate::acl::tokens::{Token, Tokens};
use ipnet::IpNet;
use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The rules cannot be used.
    Error,
    /// Most likely not meant, or dangerous.
    Warning,
    /// Worth a look.
    Hint,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The number of the rule, counted from one.
    pub rule: usize,
    /// How bad it is.
    pub severity: Severity,
    /// What, in a sentence.
    pub sentence: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "hint",
        };
        write!(f, "rule {}: {severity}: {}", self.rule, self.sentence)
    }
}

/// Addresses that many share when there is a proxy, a bridge or a private network between them and us.
const SHARED: [&str; 9] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

/// Looks at all rules. In the order of the rules, the worst of each first.
pub fn lint(rules: &[Rule]) -> Vec<Finding> {
    let shapes: Vec<_> = rules.iter().map(Shape::read).collect();
    let mut found = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        let mut say = |severity, sentence| found.push(Finding { rule: place + 1, severity, sentence });
        match &shapes[place] {
            // said without the title, which the finding has
            None => malformed(rule, &mut say),
            Some(shape) => {
                fields(&rule.when, shape, &mut say);
                addresses(rule, shape, &mut say);
                reached(rules, &shapes, place, &mut say);
            }
        }
        emptiness(rule, place + 1 == rules.len(), &mut say);
        actions(&rule.actions, &mut say);
    }
    found.sort_by_key(|finding| (finding.rule, finding.severity));
    found
}

fn malformed(rule: &Rule, say: &mut dyn FnMut(Severity, String)) {
    let untitled = Rule { comment: String::new(), ..rule.clone() };
    for mistake in Rules::compile(&[untitled]).err().unwrap_or_default() {
        let sentence = mistake.split_once(": ").map_or(mistake.as_str(), |(_, sentence)| sentence);
        say(Severity::Error, sentence.to_owned());
    }
}

fn fields(when: &Match, shape: &Shape<'_>, say: &mut dyn FnMut(Severity, String)) {
    for field in Field::ALL {
        if let Some(text) = when.pattern(field) {
            pattern(field.as_str(), text, say);
            placeholders(field.as_str(), text, when, false, say);
        }
    }
    for (label, text) in when.label_patterns() {
        pattern(label, text, say);
        placeholders(label, text, when, true, say);
    }
    let repositories = shape.field(Field::Kind).is_none_or(|kind| kind.always_fits(REPOSITORY) == Some(true));
    if let Some(name) = when.pattern(Field::Name)
        && repositories
        && let Some(why) = fits_no_repository(name)
    {
        say(Severity::Warning, format!("no repository can have a name like {name:?}: {why}"));
    }
    if when.account.as_deref() == Some("") && when.label_patterns().next().is_some() {
        let sentence = "it never matches: who did not log in has neither groups nor labels";
        say(Severity::Warning, sentence.to_owned());
    }
}

fn pattern(key: &str, text: &str, say: &mut dyn FnMut(Severity, String)) {
    if let Some(word) = forgotten_dollar(text) {
        let sentence =
            format!("`{key}` has {word} without a `$` before it: that is no placeholder but itself");
        say(Severity::Warning, sentence);
    }
    let Some(inner) = between_slashes(text) else { return };
    if is_name(inner) {
        let sentence = format!(
            "`{key}`: the slashes around {text:?} make it an expression that matches whatever contains {inner:?}; \
             leave them out for the name itself"
        );
        say(Severity::Warning, sentence);
    } else if !matches!(inner, "." | ".+" | ".*") && !is_anchored(inner) {
        let sentence = format!(
            "`{key}`: the expression {text:?} is not anchored, so it matches whatever contains it; \
             meant is most likely \"/^(?:{inner})$/\""
        );
        say(Severity::Warning, sentence);
    }
}

fn placeholders(key: &str, text: &str, when: &Match, of_label: bool, say: &mut dyn FnMut(Severity, String)) {
    let expression = text.starts_with('/') && text.ends_with('/');
    for piece in pieces(text).unwrap_or_default() {
        match piece {
            Piece::Capture(field, group) if source_of_group(when, field, group).is_none() => {
                let word = field.as_str();
                let sentence = format!(
                    "`{key}` never matches: ${{{word}:{group}}} has no value, as the rule's `{word}` is not an \
                     expression (without placeholders) that has a group {group}"
                );
                say(Severity::Warning, sentence);
            }
            Piece::Label(label) if of_label => {
                let sentence =
                    format!("`{key}` never matches: ${{labels:{label}}} has no value within labels");
                say(Severity::Warning, sentence);
            }
            Piece::Capture(..) | Piece::Label(_) if expression => {
                let sentence = format!(
                    "`{key}`: the value of a label or a group is inserted into the expression {text:?} as it is: \
                     a `.` in it matches any character, and `.*` everything"
                );
                say(Severity::Warning, sentence);
            }
            _ => {}
        }
    }
}

/// Why no repository can have a name that fits a glob, if so. Of patterns with placeholders only the text between them
/// is judged, and of expressions nothing.
pub fn fits_no_repository(glob: &str) -> Option<String> {
    if between_slashes(glob).is_some() {
        return None;
    }
    let all = pieces(glob).ok()?;
    if let [Piece::Text(_)] | [] = all.as_slice() {
        return shape_of_no_repository(&read(&[Part::Text(glob)]).ok()?);
    }
    all.iter().find_map(|piece| match piece {
        Piece::Text(text) => letters_of_no_repository(&read(&[Part::Text(text)]).ok()?),
        _ => None,
    })
}

fn is_letter(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '/')
}

fn letters_of_no_repository(glob: &Tokens) -> Option<String> {
    glob.parts().iter().find_map(|token| match token {
        Token::Literal(text) => {
            text.chars().find(|c| !is_letter(*c)).map(|c| format!("there is no {c:?} in any"))
        }
        Token::Class(class) => (0..128_u8)
            .map(char::from)
            .all(|c| !is_letter(c) || !class.has(c))
            .then(|| "nothing in its class [..] is in any".to_owned()),
        _ => None,
    })
}

fn shape_of_no_repository(glob: &Tokens) -> Option<String> {
    let outside = |c| matches!(c, '/' | '.' | '_' | '-');
    let literal = |token: Option<&Token>| match token {
        Some(Token::Literal(text)) => text.clone(),
        _ => String::new(),
    };
    let parts = glob.parts();
    let wrong = if parts.is_empty() {
        "none is empty"
    } else if literal(parts.first()).starts_with(outside) || literal(parts.last()).ends_with(outside) {
        "all begin and end with a letter or digit"
    } else if parts.iter().any(|token| literal(Some(token)).contains("//")) {
        "none has two slashes in a row"
    } else {
        return letters_of_no_repository(glob);
    };
    Some(wrong.to_owned())
}

/// A rule that gives something to whoever comes from an address that is not theirs alone.
fn addresses(rule: &Rule, shape: &Shape<'_>, say: &mut dyn FnMut(Severity, String)) {
    let who = rule.when.account.is_some() || rule.when.label_patterns().next().is_some();
    if who || rule.actions.is_empty() {
        return;
    }
    let shared: Vec<IpNet> = SHARED.iter().filter_map(|text| network(text)).collect();
    let meets = |net: &&IpNet| shared.iter().any(|shared| shared.contains(*net) || net.contains(shared));
    if let Some(net) = shape.networks().iter().find(meets) {
        let what = rule.actions.join(", ");
        let sentence = format!(
            "it allows {what:?} to whoever comes from {net}, also without login: behind a proxy or a bridge that is \
             everybody"
        );
        say(Severity::Warning, sentence);
    }
}

/// A rule that an earlier one leaves nothing to. An empty earlier one has said so itself.
fn reached(
    rules: &[Rule],
    shapes: &[Option<Shape<'_>>],
    place: usize,
    say: &mut dyn FnMut(Severity, String),
) {
    let Some(later) = &shapes[place] else { return };
    let covers = |earlier: &usize| {
        !rules[*earlier].when.is_empty()
            && shapes[*earlier].as_ref().is_some_and(|earlier| earlier.covers(later))
    };
    if let Some(earlier) = (0..place).find(covers) {
        let title = rules[earlier].title(earlier);
        say(Severity::Warning, format!("it is never reached: {title} matches all that it matches"));
    }
}

fn emptiness(rule: &Rule, last: bool, say: &mut dyn FnMut(Severity, String)) {
    if !rule.when.is_empty() {
        return;
    }
    if !last {
        let sentence = "its match is empty and fits everything, so no later rule is reached (but those with a type, \
                        for the catalog)";
        say(Severity::Warning, sentence.to_owned());
    }
    if !rule.actions.is_empty() {
        let what = rule.actions.join(", ");
        let sentence = format!(
            "its match is empty, so it allows {what:?} on everything to everybody, also without login"
        );
        let all = rule.actions.iter().any(|word| word == "*");
        say(if all { Severity::Warning } else { Severity::Hint }, sentence);
    }
}

fn actions(words: &[String], say: &mut dyn FnMut(Severity, String)) {
    for word in words {
        if word == "*" && words.len() > 1 {
            let sentence = "`*` means all actions only when it stands alone";
            say(Severity::Warning, sentence.to_owned());
        } else if word != "*" && word.parse::<Action>().is_err() {
            let sentence = format!("{word:?} is no action of a repository; those are pull, push and delete");
            say(Severity::Hint, sentence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::config::Rule;
    use crate::acl::drawn;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct File {
        acl: Vec<Rule>,
    }

    /// Rules by their `match` and `actions`, and what is found about them.
    fn found(rules: &[(&str, &str)]) -> Vec<String> {
        let texts =
            rules.iter().map(|(when, actions)| format!("[[acl]]\nmatch = {when}\nactions = {actions}\n"));
        let rules = toml::from_str::<File>(&texts.collect::<String>()).unwrap().acl;
        lint(&rules).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_not_meant_is_found() {
        for (when, actions, says) in [
            (r#"{ service = "{account}-x" }"#, r#"["pull"]"#, "{account} without a `$`"),
            (r#"{ account = "/^(.+)@x$/", name = "${account:2}/*" }"#, "[]", "has a group 2"),
            (r#"{ account = "joe", name = "${account:1}/*" }"#, "[]", "never matches: ${account:1}"),
            (r#"{ labels = { a = "${labels:b}" } }"#, "[]", "no value within labels"),
            (r#"{ name = "Team/*" }"#, "[]", "there is no 'T' in any"),
            (r#"{ name = "${account}/App" }"#, "[]", "there is no 'A' in any"),
            (r#"{ name = "a/[A-Z]*" }"#, "[]", "nothing in its class"),
            (r#"{ name = "/a/*" }"#, "[]", "begin and end with"),
            (r#"{ name = "a//*" }"#, "[]", "two slashes"),
            (r#"{ name = "a/", type = "repo*" }"#, "[]", "begin and end with"),
            (r#"{ name = "" }"#, "[]", "none is empty"),
            (r#"{ name = "/a|b/" }"#, "[]", "not anchored"),
            (r#"{ group = "/^a/" }"#, "[]", "`groups`: the expression \"/^a/\" is not anchored"),
            (r#"{ name = "/hello-world/" }"#, "[]", "leave them out"),
            (r#"{ ip = "0.0.0.0/0" }"#, r#"["pull"]"#, "whoever comes from 0.0.0.0/0"),
            (r#"{ ip = ["2001:db8::1", "192.168.7.0/24"], name = "a" }"#, r#"["pull"]"#, "192.168.7.0/24"),
            (r#"{ account = "", group = "dev" }"#, "[]", "neither groups nor labels"),
            ("{}", r#"["*"]"#, "to everybody, also without login"),
            (r#"{ account = "joe" }"#, r#"["*", "pull"]"#, "stands alone"),
            (r#"{ account = "joe" }"#, r#"["pull", "admin"]"#, "\"admin\" is no action"),
            (r#"{ name = "/^${labels:a}$/" }"#, "[]", "as it is"),
            (r#"{ account = "/^(.+)@x$/", name = "/^${account:1}$/" }"#, "[]", "as it is"),
            (r#"{ name = "[a" }"#, "[]", "error: `name`: the glob \"[a\" has a class"),
        ] {
            let told = found(&[(when, actions)]);
            assert_eq!(told.len(), 1, "{when}: {told:#?}");
            assert!(told[0].contains(says), "{when}: {}", told[0]);
        }
    }

    #[test]
    fn nothing_is_said_about_good_rules() {
        let told = found(&[
            (r#"{ account = "admin" }"#, r#"["*"]"#),
            (r#"{ account = "/.+/", type = "registry", name = "catalog" }"#, r#"["*"]"#),
            (r#"{ account = "/.+/", ip = "10.0.0.0/8", name = "${account}/**" }"#, r#"["pull", "push"]"#),
            (r#"{ ip = "10.0.0.0/8", name = "closed/**" }"#, "[]"),
            (r#"{ ip = "203.0.113.0/24" }"#, r#"["pull"]"#),
            (r#"{ name = "${labels:project}/*", service = "/^(a|b)$/" }"#, r#"["pull"]"#),
            (r#"{ type = "plugin", name = "Some/Thing" }"#, r#"["pull"]"#),
            (r#"{ group = "dev", name = "team-[ab]/?*" }"#, r#"["pull", "push", "delete"]"#),
            ("{}", "[]"),
        ]);
        assert!(told.is_empty(), "{told:#?}");
    }

    #[test]
    fn what_is_never_reached_is_found_and_an_empty_rule_says_it_once() {
        let told = found(&[
            (r#"{ account = "joe" }"#, r#"["pull"]"#),
            (r#"{ account = "joe", name = "a/*" }"#, r#"["push"]"#),
            ("{}", r#"["pull"]"#),
            (r#"{ account = "ann" }"#, r#"["pull"]"#),
        ]);
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told[0].contains("rule 2: warning: it is never reached: rule 1 matches"), "{}", told[0]);
        assert!(told[1].contains("rule 3: warning: its match is empty and fits everything"), "{}", told[1]);
        assert!(told[2].contains("rule 3: hint: its match is empty, so it allows \"pull\""), "{}", told[2]);
    }

    proptest! {
        #[test]
        fn never_panics(rules in prop::collection::vec(drawn::rules(), 0..6), name in "\\PC{0,9}", account in "\\PC{0,9}") {
            let mut rules = rules;
            let when = Match { name: Some(name), account: Some(account), ..Match::default() };
            rules.push(Rule { when, ..Rule::default() });
            lint(&rules);
        }

        #[test]
        fn no_name_of_a_repository_is_said_to_be_none(
            name in "[a-z0-9]{1,3}([._-][a-z0-9]{1,2}){0,2}(/[a-z0-9]{1,3}){0,2}", at in 0..9_usize, glob in "[*?]{0,2}"
        ) {
            // a glob that fits the name: some of its letters made wild
            let at = at.min(name.len());
            let glob = format!("{}{glob}*{}", &name[..at], &name[at..]);
            prop_assert_eq!(fits_no_repository(&glob), None);
        }
    }
}
