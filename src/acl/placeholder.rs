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
