//! The placeholders of patterns: `${account}`, `${type}`, `${name}`, `${service}`, `${account:1}` (a group of that
//! field's own regular expression) and `${labels:L}`. Finds them; knows nothing of their values.

/// What a pattern can be about, and a placeholder can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `account`
    Account,
    /// `type`
    Kind,
    /// `name`
    Name,
    /// `service`
    Service,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Account, Self::Kind, Self::Name, Self::Service];

    /// Its word in rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Kind => "type",
            Self::Name => "name",
            Self::Service => "service",
        }
    }

    fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == word)
    }
}

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Syntax.
    Text(&'a str),
    /// The value of a field, letter by letter.
    Value(Field),
    /// A group of the expression that the rule has for a field, as it is.
    Capture(Field, usize),
    /// Any one of the values of a label, as it is.
    Label(&'a str),
}

/// Cuts a pattern into its pieces; no two neighbours are text. A word that is no placeholder is an error: it would
/// silently match nothing.
pub fn pieces(pattern: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut found = Vec::new();
    let (mut text, mut from) = (0, 0);
    while let Some(start) = pattern[from..].find("${").map(|at| at + from) {
        let Some(end) = pattern[start..].find('}').map(|at| at + start) else { break };
        let inner = &pattern[start + 2..end];
        if !inner.starts_with(|c: char| c.is_ascii_alphabetic()) {
            from = start + 2; // `/^a${2}/`: no placeholder
            continue;
        }
        if text < start {
            found.push(Piece::Text(&pattern[text..start]));
        }
        found.push(placeholder(inner)?);
        (text, from) = (end + 1, end + 1);
    }
    if text < pattern.len() {
        found.push(Piece::Text(&pattern[text..]));
    }
    Ok(found)
}

fn placeholder(inner: &str) -> Result<Piece<'_>, String> {
    let known = match inner.split_once(':') {
        None => Field::named(inner).map(Piece::Value),
        Some(("labels", label)) => (!label.is_empty()).then_some(Piece::Label(label)),
        // docker_auth also takes `${Account:1}`
        Some((field, group)) => Field::named(&field.to_ascii_lowercase())
            .and_then(|field| Some(Piece::Capture(field, group.parse().ok()?))),
    };
    known.ok_or_else(|| {
        format!(
            "${{{inner}}} is no placeholder; there are ${{account}}, ${{type}}, ${{name}}, ${{service}}, \
             ${{labels:LABEL}} and groups such as ${{account:1}}"
        )
    })
}

/// A word in braces that would be a placeholder if there were a `$` before it.
pub fn forgotten_dollar(pattern: &str) -> Option<&str> {
    pattern.match_indices('{').find_map(|(at, _)| {
        let inner = pattern[at + 1..].split_once('}')?.0;
        let bare = !pattern[..at].ends_with('$') && inner.starts_with(|c: char| c.is_ascii_alphabetic());
        (bare && placeholder(inner).is_ok()).then(|| &pattern[at..at + inner.len() + 2])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn placeholders_are_found() {
        use Piece::{Capture, Label, Text, Value};
        for (text, expected) in [
            ("", vec![]),
            ("a/*", vec![Text("a/*")]),
            ("${account}/*", vec![Value(Field::Account), Text("/*")]),
            ("${type}${name}${service}", vec![Value(Field::Kind), Value(Field::Name), Value(Field::Service)]),
            (
                "${account:1}-${Account:12}",
                vec![Capture(Field::Account, 1), Text("-"), Capture(Field::Account, 12)],
            ),
            ("a${labels:my label}", vec![Text("a"), Label("my label")]),
            ("${labels:1}", vec![Label("1")]),
            ("${labels:p}-{labels:t}/*", vec![Label("p"), Text("-{labels:t}/*")]),
            ("/^a${2}$/", vec![Text("/^a${2}$/")]),
            ("${2}${name}", vec![Text("${2}"), Value(Field::Name)]),
            ("a${", vec![Text("a${")]),
        ] {
            assert_eq!(pieces(text), Ok(expected), "{text:?}");
        }
        for wrong in ["${team}", "${labels:}", "${account:}", "${account:x}", "${labels}", "x${foo:1}"] {
            assert!(pieces(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_forgotten_dollar_is_found() {
        assert_eq!(forgotten_dollar("${labels:project}-{labels:tier}/*"), Some("{labels:tier}"));
        assert_eq!(forgotten_dollar("{account}/*"), Some("{account}"));
        for fine in ["${account}", "{2}", "a{b}", "/x{2,3}/", "{"] {
            assert_eq!(forgotten_dollar(fine), None, "{fine:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "([a-z/]|\\$\\{account\\}|\\$\\{name:1\\}|\\$\\{labels:x\\}|[{}$]){0,10}") {
            if let Ok(found) = pieces(&text) {
                let written: String = found.iter().map(|piece| match piece {
                    Piece::Text(text) => (*text).to_owned(),
                    Piece::Value(field) => format!("${{{}}}", field.as_str()),
                    Piece::Capture(field, group) => format!("${{{}:{group}}}", field.as_str()),
                    Piece::Label(label) => format!("${{labels:{label}}}"),
                }).collect();
                prop_assert_eq!(written, text);
            }
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = (pieces(&text), forgotten_dollar(&text));
        }
    }
}
