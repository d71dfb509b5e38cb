//! The configuration that is written: sections in the order in which they were added, with the reasons above them.
//! Whatever a text holds, it cannot leave its quotes or its comment.

use std::fmt::Write as _;

/// The width of comments.
const WIDTH: usize = 100;

/// A value of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// True or false.
    Flag(bool),
    /// A list of texts.
    List(Vec<String>),
    /// A table on one line.
    Table(Vec<(String, Value)>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A section with its keys.
#[derive(Debug, Default)]
pub struct Section {
    head: String,
    comments: Vec<String>,
    keys: Vec<(String, Value, Option<String>)>,
    asleep: bool,
}

impl Section {
    /// `[name]`.
    pub fn new(name: &str) -> Self {
        Self { head: format!("[{name}]"), ..Self::default() }
    }

    /// `[[name]]`.
    pub fn one_of(name: &str) -> Self {
        Self { head: format!("[[{name}]]"), ..Self::default() }
    }

    /// A comment above it.
    pub fn comment(&mut self, text: impl Into<String>) -> &mut Self {
        self.comments.push(text.into());
        self
    }

    /// A key.
    pub fn set(&mut self, key: &str, value: Value) -> &mut Self {
        self.keys.push((key.to_owned(), value, None));
        self
    }

    /// A key with a comment above it.
    pub fn set_because(&mut self, key: &str, value: Value, why: impl Into<String>) -> &mut Self {
        self.keys.push((key.to_owned(), value, Some(why.into())));
        self
    }

    /// All of it becomes a comment: to be read, and woken by hand.
    pub fn put_to_sleep(&mut self) -> &mut Self {
        self.asleep = true;
        self
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.comments.is_empty()
    }
}

/// A whole configuration.
#[derive(Debug, Default)]
pub struct Document {
    comments: Vec<String>,
    sections: Vec<Section>,
}

impl Document {
    /// A comment above everything.
    pub fn comment(&mut self, text: impl Into<String>) {
        self.comments.push(text.into());
    }

    /// Adds a section, unless it says nothing.
    pub fn add(&mut self, section: Section) {
        if !section.is_empty() {
            self.sections.push(section);
        }
    }

    /// The text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for said in &self.comments {
            comment(&mut text, said);
        }
        for section in &self.sections {
            text.push('\n');
            for said in &section.comments {
                comment(&mut text, said);
            }
            let sleep = if section.asleep { "# " } else { "" };
            let _ = writeln!(text, "{sleep}{}", section.head);
            for (key, value, why) in &section.keys {
                if let Some(why) = why {
                    comment(&mut text, why);
                }
                let _ = writeln!(text, "{sleep}{} = {}", word(key), told(value));
            }
        }
        text
    }
}

/// Words under `#`, wrapped. What a comment may not hold becomes a question mark.
fn comment(into: &mut String, text: &str) {
    let clean: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    let mut line = String::from("#");
    for word in clean.split(' ').filter(|word| !word.is_empty()) {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(into, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(into, "{line}");
}

fn told(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Number(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
        Value::List(list) => {
            format!("[{}]", list.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
        }
        Value::Table(entries) if entries.is_empty() => "{}".into(),
        Value::Table(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{} = {}", word(key), told(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// A key, in quotes where it needs them.
fn word(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_owned() } else { quoted(key) }
}

/// A TOML string on one line. One with backslashes and nothing that needs one stays as it is, so that regular
/// expressions can be read.
pub fn quoted(text: &str) -> String {
    let plain = !text.contains('\'') && !text.contains(char::is_control);
    if text.contains('\\') && plain {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(document: &Document) -> toml::Table {
        let text = document.render();
        text.parse().unwrap_or_else(|e| panic!("{e}\n{text}"))
    }

    #[test]
    fn sections_keys_and_comments() {
        let mut document = Document::default();
        document.comment("Above all.");
        let mut section = Section::new("server");
        section.comment("Why.").set("listen", "a:1".into()).set_because("n", Value::Number(7), "Because.");
        document.add(section);
        document.add(Section::new("empty"));
        let mut sleeping = Section::one_of("acl");
        sleeping.set("match", Value::Table(vec![("account".into(), "".into())])).put_to_sleep();
        document.add(sleeping);
        assert_eq!(
            document.render(),
            "# Above all.\n\n# Why.\n[server]\nlisten = \"a:1\"\n# Because.\nn = 7\n\n# [[acl]]\n# match = { account = \"\" }\n"
        );
    }

    #[test]
    fn regular_expressions_stay_readable() {
        assert_eq!(quoted(r"/^\w+$/"), r"'/^\w+$/'");
        assert_eq!(quoted(r"it's \w"), r#""it's \\w""#);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_through_toml(text in any::<String>(), key in any::<String>(), list in any::<Vec<String>>()) {
            let mut document = Document::default();
            document.comment(text.clone());
            let mut section = Section::one_of("acl");
            section.comment(key.clone());
            section.set_because("text", Value::Text(text.clone()), list.concat());
            section.set("list", Value::List(list.clone()));
            section.set("table", Value::Table(vec![(key.clone(), Value::Text(text.clone()))]));
            document.add(section);
            let mut sleeping = Section::new("sleeping");
            sleeping.set(&key, Value::Text(text.clone())).comment(text.clone()).put_to_sleep();
            document.add(sleeping);
            let table = read(&document);
            prop_assert_eq!(table.len(), 1);
            let acl = table["acl"][0].as_table().unwrap();
            prop_assert_eq!(acl["text"].as_str(), Some(text.as_str()));
            prop_assert_eq!(acl["table"][&key].as_str(), Some(text.as_str()));
            let back: Vec<&str> = acl["list"].as_array().unwrap().iter().filter_map(|t| t.as_str()).collect();
            prop_assert_eq!(back, list);
        }
    }
}
