//! The keys of one section: unknown ones are mistakes that name the nearest known one, known ones are read as what
//! they must be. Nothing is guessed: a text where a number stands is a mistake too.

use crate::app::config::tree::nearest;
use crate::app::import::duration;
use crate::app::import::report::{Report, at, shown};
use crate::app::import::yaml::{Node, Value, below};

/// A section that is read.
#[derive(Debug)]
pub struct Fields<'a> {
    path: String,
    node: Option<&'a Node>,
}

impl<'a> Fields<'a> {
    /// Opens a section, or nothing, and looks for keys that are not known.
    pub fn open(node: Option<&'a Node>, path: &str, known: &[&str], report: &mut Report) -> Self {
        if let Some(Node { line, value }) = node {
            match value {
                Value::Map(entries) => {
                    for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
                        report.mistake(unknown(path, &key.name, key.line, known));
                    }
                }
                Value::Null => {}
                Value::Text(_) | Value::List(_) => {
                    report.mistake(format!("{} is a section with keys{}", name(path), at(*line)));
                }
            }
        }
        Self { path: path.to_owned(), node }
    }

    /// Looks for keys that are not known in a section of this one, of which nothing is read.
    pub fn check(&self, key: &str, known: &[&str], report: &mut Report) {
        Fields::open(self.node(key), &below(&self.path, key), known, report);
    }

    /// Opens a section of this one.
    #[must_use]
    pub fn section(&self, key: &str, known: &[&str], report: &mut Report) -> Fields<'a> {
        Fields::open(self.node(key), &below(&self.path, key), known, report)
    }

    /// A section whose keys were looked at before.
    #[must_use]
    pub fn known(node: &'a Node) -> Self {
        Self { path: String::new(), node: Some(node) }
    }

    /// A section of one whose keys were looked at before.
    #[must_use]
    pub fn inner(&self, key: &str) -> Fields<'a> {
        Self { path: below(&self.path, key), node: self.node(key) }
    }

    /// A key that is given and not null.
    pub fn node(&self, key: &str) -> Option<&'a Node> {
        self.node.and_then(|node| node.get(key))
    }

    /// Whether a key is given and not null.
    pub fn has(&self, key: &str) -> bool {
        self.node(key).is_some()
    }

    /// The line of a key's value, or 0.
    pub fn line(&self, key: &str) -> u64 {
        self.node(key).map_or(0, |node| node.line)
    }

    /// A text; none if it is empty.
    pub fn text(&self, key: &str, report: &mut Report) -> Option<&'a str> {
        let node = self.node(key)?;
        match &node.value {
            Value::Text(text) => Some(text.as_str()).filter(|text| !text.is_empty()),
            _ => self.wrong(key, node, "a text", report),
        }
    }

    /// A whole number.
    pub fn number(&self, key: &str, report: &mut Report) -> Option<i64> {
        let text = self.text(key, report)?;
        let plain = text.strip_prefix('-').unwrap_or(text);
        // 0900 is octal to some readers and not to others.
        let clear = plain == "0" || !plain.starts_with('0');
        match text.parse() {
            Ok(number) if clear => Some(number),
            _ => self.wrong(key, self.node(key)?, "a whole number", report),
        }
    }

    /// True or false, in every spelling of YAML 1.1.
    pub fn flag(&self, key: &str, report: &mut Report) -> Option<bool> {
        let text = self.text(key, report)?;
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Some(true),
            "false" | "no" | "off" | "n" => Some(false),
            _ => self.wrong(key, self.node(key)?, "true or false", report),
        }
    }

    /// A length of time in whole seconds, as Go writes it: `2h45m`, or a number of nanoseconds.
    pub fn seconds(&self, key: &str, report: &mut Report) -> Option<u64> {
        let text = self.text(key, report)?;
        match duration::seconds(text) {
            Some(seconds) => Some(seconds),
            None => self.wrong(key, self.node(key)?, "a length of time such as 2h45m", report),
        }
    }

    /// A list of texts.
    pub fn list(&self, key: &str, report: &mut Report) -> Option<Vec<String>> {
        texts(self.node(key)?, &below(&self.path, key), report)
    }

    /// The values are not shown: they may be secrets.
    fn wrong<T>(&self, key: &str, node: &Node, wanted: &str, report: &mut Report) -> Option<T> {
        let full = below(&self.path, key);
        report.mistake(format!("{} does not read as {wanted}{}", shown(&full), at(node.line)));
        None
    }
}

/// A list of texts, at a path.
pub fn texts(node: &Node, path: &str, report: &mut Report) -> Option<Vec<String>> {
    let text = |node: &Node| match &node.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    let texts = match &node.value {
        Value::List(list) => list.iter().map(text).collect(),
        _ => None,
    };
    if texts.is_none() {
        report.mistake(format!("{} does not read as a list of texts{}", shown(path), at(node.line)));
    }
    texts
}

fn name(path: &str) -> String {
    if path.is_empty() { "the file".into() } else { shown(path) }
}

/// The sentence about a key that is not known.
pub fn unknown(path: &str, key: &str, line: u64, known: &[&str]) -> String {
    let full = below(path, key);
    let advice = match nearest(key, known.iter().copied()) {
        Some(near) => format!("; did you mean {}?", shown(&below(path, near))),
        None => String::new(),
    };
    format!("{} is not a key{}{advice}", shown(&full), at(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::import::yaml::parse;

    const KNOWN: [&str; 6] = ["addr", "flag", "number", "list", "age", "empty"];

    #[test]
    fn unknown_keys_are_named_with_their_line_and_the_nearest() {
        let node = parse("addr: x\nadr: y\nzzzzzz: 1\n").unwrap();
        let mut report = Report::default();
        Fields::open(Some(&node), "server", &KNOWN, &mut report);
        assert_eq!(
            report.mistakes,
            [
                "\"server.adr\" is not a key (line 2); did you mean \"server.addr\"?",
                "\"server.zzzzzz\" is not a key (line 3)"
            ]
        );
    }

    #[test]
    fn values_read_as_what_they_must_be() {
        let node =
            parse("addr: 007\nflag: yes\nnumber: -3\nlist: [a, 1, no]\nage: 1h30m\nempty: ''\n").unwrap();
        let mut report = Report::default();
        let fields = Fields::open(Some(&node), "", &KNOWN, &mut report);
        assert_eq!(fields.text("addr", &mut report), Some("007"));
        assert_eq!(fields.flag("flag", &mut report), Some(true));
        assert_eq!(fields.number("number", &mut report), Some(-3));
        assert_eq!(fields.list("list", &mut report), Some(vec!["a".into(), "1".into(), "no".into()]));
        assert_eq!(fields.seconds("age", &mut report), Some(5400));
        assert_eq!(fields.text("empty", &mut report), None);
        assert!(report.mistakes.is_empty(), "{report:?}");
    }

    #[test]
    fn what_does_not_read_is_told_without_its_value() {
        let node =
            parse("addr: [canary]\nflag: canary\nnumber: 0900\nlist: [[canary]]\nage: canary\n").unwrap();
        let mut report = Report::default();
        let fields = Fields::open(Some(&node), "", &KNOWN, &mut report);
        assert_eq!(fields.text("addr", &mut report), None);
        assert_eq!(fields.flag("flag", &mut report), None);
        assert_eq!(fields.number("number", &mut report), None);
        assert_eq!(fields.list("list", &mut report), None);
        assert_eq!(fields.seconds("age", &mut report), None);
        assert_eq!(report.mistakes.len(), 5);
        assert!(!report.mistakes.join(" ").contains("canary"), "{report:?}");
    }

    #[test]
    fn a_section_is_no_text() {
        let node = parse("server: x\n").unwrap();
        let mut report = Report::default();
        Fields::open(node.get("server"), "server", &KNOWN, &mut report);
        assert_eq!(report.mistakes, ["\"server\" is a section with keys (line 1)"]);
    }
}
