//! YAML as a tree whose nodes know their lines, within bounds that no file of a person comes near: an alias bomb, a
//! tower of brackets or a flood of keys is refused before it costs anything.
//!
//! Scalars keep the spelling of the file, because the programs that read these files take `007` or `yes` for a text
//! where a text is wanted. It knows nothing of what the keys mean.

use crate::app::config::tree::Mistake;
use crate::app::import::report::{at, shown};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{AliasLimits, DuplicateKeyPolicy, NonFiniteFloatPolicy, Options};
use serde_saphyr::{Location, Spanned};
use std::collections::HashMap;
use std::fmt;

/// Most nodes of a file, and again as many that aliases may repeat.
const NODES_MAX: usize = 100_000;
/// Deepest nesting.
const DEPTH_MAX: usize = 32;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its line, from 1; 0 for what stands in no file.
    pub line: u64,
    /// The value.
    pub value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// A scalar, as it is spelled.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<(Key, Node)>),
}

/// A key and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Its line.
    pub line: u64,
}

impl Node {
    /// What stands below a key, if this is a map that has it and it is not null.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node).filter(|n| !n.is_null())
    }

    /// Whether it is nothing.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// A word for what it is.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a section",
        }
    }
}

/// Reads one document. Every key that is given twice is a mistake: which of them counts differs from reader to
/// reader.
pub fn parse(text: &str) -> Result<Node, Vec<Mistake>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options())
        .map_err(|error| vec![format!("this is not YAML that can be read: {error}")])?;
    let mut mistakes = Vec::new();
    let node = settle(raw, text, "", &mut mistakes);
    if mistakes.is_empty() { Ok(node) } else { Err(mistakes) }
}

fn options() -> Options {
    let alias_limits: AliasLimits = serde_saphyr::alias_limits! {
        max_total_replayed_events: NODES_MAX,
        max_replay_stack_depth: 8,
        max_alias_expansions_per_anchor: 10_000,
    };
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: NODES_MAX * 3,
            max_nodes: NODES_MAX,
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_documents: 1,
            max_aliases: 10_000,
            max_anchors: 10_000,
            max_recorded_anchor_events: NODES_MAX,
            max_recorded_anchor_bytes: 8 << 20,
            max_total_scalar_bytes: 8 << 20,
            max_buffered_comment_events: 100_000,
            max_merge_keys: 1_000,
        },
        alias_limits: alias_limits,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        emit_comments: false,
        // A snippet would show a line of the file, and with it a hash or a password.
        with_snippet: false,
    }
}

/// A value as the reader tells it.
enum Raw {
    Null,
    Text(String),
    /// A scalar that the reader took for a number or a truth value: its spelling is looked up in the file.
    Spelled(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Spelled(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Spelled(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Spelled(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Spelled(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = seq.next_element()? {
            list.push(element);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry::<Spanned<Raw>, Spanned<Raw>>()? {
            if matches!(entry.0.value, Raw::List(_) | Raw::Map(_) | Raw::Null) {
                return Err(A::Error::custom("a key is a text, not a list, a section or nothing"));
            }
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

/// Puts spellings in place of numbers, and looks for keys that are given twice.
fn settle(raw: Spanned<Raw>, text: &str, path: &str, mistakes: &mut Vec<Mistake>) -> Node {
    let line = raw.referenced.line();
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Text(text) => Value::Text(text),
        Raw::Spelled(read) => Value::Text(spelling(text, &raw.defined).unwrap_or(read)),
        Raw::List(list) => {
            Value::List(list.into_iter().map(|node| settle(node, text, path, mistakes)).collect())
        }
        Raw::Map(entries) => {
            let mut first: HashMap<String, u64> = HashMap::new();
            let mut map = Vec::with_capacity(entries.len());
            for (key, node) in entries {
                let key = settle(key, text, path, mistakes);
                let Value::Text(name) = key.value else { continue };
                let full = below(path, &name);
                if let Some(before) = first.insert(name.clone(), key.line) {
                    mistakes.push(format!(
                        "{} is given twice{}, and before that{}: keep one of them",
                        shown(&full),
                        at(key.line),
                        at(before)
                    ));
                }
                let node = settle(node, text, &full, mistakes);
                map.push((Key { name, line: key.line }, node));
            }
            Value::Map(map)
        }
    };
    Node { line, value }
}

/// `section.key`.
pub fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A plain scalar as it is spelled in the file.
fn spelling(text: &str, place: &Location) -> Option<String> {
    let start = usize::try_from(place.span().byte_offset()?).ok()?;
    let end = start.checked_add(usize::try_from(place.span().byte_len()?).ok()?)?;
    let spelled = text.get(start..end)?.trim();
    (!spelled.is_empty() && !spelled.contains(char::is_whitespace)).then(|| spelled.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn text(node: Option<&Node>) -> &str {
        match node.map(|node| &node.value) {
            Some(Value::Text(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn scalars_keep_their_spelling_and_nodes_their_lines() {
        let node = parse(
            "a: 007\nb: yes\nc: 1.50\nd: True\ne: 0x1F\nf: 1_000\ng: .inf\nh: 'null'\ni:\nj: ~\nk: -0\nl: 5 # x\n",
        )
        .unwrap();
        for (key, spelled) in [
            ("a", "007"),
            ("b", "yes"),
            ("c", "1.50"),
            ("d", "True"),
            ("e", "0x1F"),
            ("f", "1_000"),
            ("g", ".inf"),
            ("h", "null"),
            ("k", "-0"),
            ("l", "5"),
        ] {
            assert_eq!(text(node.get(key)), spelled, "{key}");
        }
        assert!(node.get("i").is_none() && node.get("j").is_none());
        assert_eq!(node.get("c").unwrap().line, 3);
        let Value::Map(entries) = &node.value else { panic!() };
        assert_eq!(entries[8].0, Key { name: "i".into(), line: 9 });
    }

    #[test]
    fn keys_may_be_numbers_and_aliases_and_merges_are_followed() {
        let node = parse("base: &b {x: 1.0, y: &v 08}\nuse: *b\n7: *v\nmore:\n  <<: *b\n  y: 3\n").unwrap();
        assert_eq!(text(node.get("use").unwrap().get("x")), "1.0");
        assert_eq!(text(node.get("7")), "08");
        let more = node.get("more").unwrap();
        assert_eq!((text(more.get("x")), text(more.get("y"))), ("1.0", "3"));
    }

    #[test]
    fn a_key_that_is_given_twice_is_named_with_both_lines() {
        let told = parse("a:\n  b: 1\n  c: 2\n  b: 3\nd: {e: 1, e: 2}\n").unwrap_err();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("\"a.b\" is given twice (line 4), and before that (line 2)"), "{told:?}");
    }

    #[test]
    fn bombs_towers_and_floods_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let last = n - 1;
            let aliases = vec![format!("*a{last}"); 9].join(", ");
            let _ = writeln!(bomb, "a{n}: &a{n} [{aliases}]");
        }
        let one = format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(40_000), ["*a"; 9].join(", "));
        let scalars = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 5000].join(", "));
        for bad in [
            bomb,
            one,
            scalars,
            "[".repeat(100_000),
            "- ".repeat(5000),
            "{a: ".repeat(5000),
            format!("[{}]", "x,".repeat(1 << 17)),
            "---\na: 1\n---\nb: 2\n".into(),
            "a: &a [*a]".into(),
            "a: *b".into(),
            "? [1, 2]\n: x".into(),
            "a: b: c".into(),
            "a: \u{0}".into(),
        ] {
            assert!(parse(&bad).is_err(), "{}", shown(&bad));
        }
    }

    #[test]
    fn a_mistake_shows_no_line_of_the_file() {
        let told = parse("users:\n  bob: {password: \"$2y$05$canary\"\n  x: [").unwrap_err().join(" ");
        assert!(!told.contains("canary"), "{told}");
        assert!(told.contains("line"), "{told}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[ -~\\n\\t{}\\[\\]&*:,'\"|>#-]{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn quoted_texts_come_back(text in "\\PC{0,40}") {
            let yaml = format!("a: {}", serde_json::to_string(&text).unwrap());
            let node = parse(&yaml).unwrap();
            let Value::Map(entries) = node.value else { panic!() };
            proptest::prop_assert_eq!(&entries[0].1.value, &Value::Text(text));
        }
    }
}
