//! A pattern with placeholders. Values of fields are inserted letter by letter; groups and labels as they are, so that a
//! label may hold a glob (docker_auth, docs/Labels.md). A placeholder without a value matches nothing.
//!
//! In the usual case, a glob whose values have no syntax in them, nothing is put together for a decision.

use crate::acl::asked::Asked;
use crate::acl::config::Match;
use crate::acl::glob::{GLOB_BYTES_MAX, Part, read};
use crate::acl::placeholder::{Field, Piece, pieces};
use crate::acl::regexes::{Fits, Memo, NOTHING, between_slashes, compile};
use crate::acl::tokens::Tokens;
use regex::Regex;

/// Placeholders in one pattern.
const HOLES_MAX: usize = 8;
/// Combinations of the values of labels that are tried for one pattern.
const COMBINATIONS_MAX: usize = 1000;

/// A pattern with placeholders.
#[derive(Debug, Clone)]
pub struct Template {
    pieces: Vec<Held>,
    /// The names of the labels in it, each once.
    labels: Vec<String>,
    /// With a slot for each placeholder; not of a regular expression, nor where a placeholder stands inside a class.
    glob: Option<Tokens>,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Glob,
    Regex,
    /// A group or a label at one end, or at both, may bring the slashes.
    Either,
}

#[derive(Debug, Clone)]
enum Held {
    Text(String),
    Value(Field),
    Capture(Field, usize, Regex),
    /// By its place in `labels`.
    Label(usize),
    /// Never has a value.
    Never,
}

/// The value of a placeholder.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    None,
    Quoted(&'a str),
    Raw(&'a str),
}

impl<'a> Value<'a> {
    /// Itself, if inserting it and comparing it letter by letter are the same.
    fn plain(self) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::Quoted(text) => Some(text),
            Self::Raw(text) => {
                let edge = text.is_empty() || text.starts_with('/') || text.ends_with('/');
                (!edge && !text.contains(['*', '?', '[', '\\'])).then_some(text)
            }
        }
    }
}

impl Template {
    /// Reads a pattern that has a placeholder.
    pub fn compile(pieces: &[Piece<'_>], entry: &Match, of_label: bool) -> Result<Self, String> {
        let mut template = Self { pieces: Vec::new(), labels: Vec::new(), glob: None, shape: shape(pieces) };
        for piece in pieces {
            let held = match piece {
                Piece::Text(text) => Held::Text((*text).to_owned()),
                Piece::Value(field) => Held::Value(*field),
                Piece::Capture(field, group) => source_of_group(entry, *field, *group)
                    .map_or(Held::Never, |regex| Held::Capture(*field, *group, regex)),
                Piece::Label(_) if of_label => Held::Never,
                Piece::Label(label) => Held::Label(template.label(label)),
            };
            template.pieces.push(held);
        }
        if template.holes().count() > HOLES_MAX {
            return Err(format!("a pattern has at most {HOLES_MAX} placeholders"));
        }
        template.check()?;
        Ok(template)
    }

    /// How every text that fits begins.
    pub fn prefix(&self) -> &str {
        match &self.glob {
            Some(glob) if self.shape == Shape::Glob => glob.prefix(),
            _ => "",
        }
    }

    /// Whether a text fits.
    pub fn fits(&self, text: &str, asked: &Asked<'_>, memo: &Memo) -> Fits {
        if !text.starts_with(self.prefix()) {
            return Fits::No;
        }
        let mut values = [Value::None; HOLES_MAX];
        for (value, hole) in values.iter_mut().zip(self.holes()) {
            *value = match hole {
                Held::Value(field) => Value::Quoted(asked.field(*field)),
                Held::Capture(field, group, regex) => {
                    regex.captures(asked.field(*field)).map_or(Value::None, |found| {
                        Value::Quoted(found.get(*group).map_or("", |group| group.as_str()))
                    })
                }
                Held::Label(_) | Held::Never | Held::Text(_) => Value::None,
            };
        }
        if self.labels.is_empty() {
            return self.attempt(text, &values, memo);
        }
        // an expression may fit by an alternative that has no label in it
        if self.shape == Shape::Regex {
            let plain = self.attempt(text, &values, memo);
            if plain != Fits::No {
                return plain;
            }
        }
        self.combinations(text, asked, &mut values, memo)
    }

    /// Every combination of the values of its labels.
    fn combinations<'a>(&self, text: &str, asked: &Asked<'a>, values: &mut [Value<'a>], memo: &Memo) -> Fits {
        let filtered = self.is_literal(asked, values);
        let mut choices = Vec::new();
        for label in &self.labels {
            // of a glob, a value that does not even occur in the text cannot be the one
            let may = |value: &Value<'_>| !filtered || value.plain().is_none_or(|value| text.contains(value));
            let mut kept: Vec<_> = asked.identity.label_values(label).map(Value::Raw).filter(may).collect();
            if kept.is_empty() {
                if self.shape != Shape::Regex {
                    return Fits::No;
                }
                kept.push(Value::None);
            }
            choices.push(kept);
        }
        let count = choices.iter().try_fold(1_usize, |count, kept| count.checked_mul(kept.len()));
        let Some(count @ ..=COMBINATIONS_MAX) = count else { return Fits::Unknown };
        let mut outcome = Fits::No;
        for mut number in 0..count {
            for (label, kept) in choices.iter().enumerate() {
                let value = kept[number % kept.len()];
                number /= kept.len();
                for (slot, hole) in values.iter_mut().zip(self.holes()) {
                    if matches!(hole, Held::Label(place) if *place == label) {
                        *slot = value;
                    }
                }
            }
            match self.attempt(text, values, memo) {
                Fits::No => {}
                Fits::Yes => return Fits::Yes,
                Fits::Unknown => outcome = Fits::Unknown,
            }
        }
        outcome
    }

    /// Whether values without syntax are compared letter by letter: in a glob, and in what cannot become an expression
    /// with any value.
    fn is_literal(&self, asked: &Asked<'_>, values: &[Value<'_>]) -> bool {
        let plain = |value: Value<'_>| value.plain().is_some();
        let all_plain = || {
            self.holes().zip(values).all(|(hole, value)| match hole {
                Held::Label(place) => {
                    asked.identity.label_values(&self.labels[*place]).map(Value::Raw).all(plain)
                }
                _ => plain(*value),
            })
        };
        self.glob.is_some() && (self.shape == Shape::Glob || all_plain())
    }

    /// Whether a text fits with these values.
    fn attempt(&self, text: &str, values: &[Value<'_>], memo: &Memo) -> Fits {
        let values = &values[..self.holes().count()];
        if self.shape != Shape::Regex && values.iter().any(|value| matches!(value, Value::None)) {
            return Fits::No;
        }
        if let Some(glob) = &self.glob {
            let mut slots = [""; HOLES_MAX];
            let mut plain = true;
            for (slot, value) in slots.iter_mut().zip(values) {
                match value.plain() {
                    Some(value) => *slot = value,
                    None => plain = false,
                }
            }
            if plain {
                return glob.fit(text, &slots[..values.len()]).into();
            }
        }
        self.put_together(text, values, memo)
    }

    fn put_together(&self, text: &str, values: &[Value<'_>], memo: &Memo) -> Fits {
        let whole = self.insert(values);
        if self.shape != Shape::Glob
            && let Some(inner) = between_slashes(&whole)
        {
            return memo.find(inner, text);
        }
        if whole.len() > GLOB_BYTES_MAX {
            return Fits::Unknown;
        }
        let (mut parts, mut values) = (Vec::with_capacity(self.pieces.len()), values.iter());
        for piece in &self.pieces {
            parts.push(match piece {
                Held::Text(text) => Part::Text(text),
                _ => match values.next() {
                    Some(Value::Quoted(value)) => Part::Literal(value),
                    Some(Value::Raw(value)) => Part::Text(value),
                    Some(Value::None) | None => return Fits::No,
                },
            });
        }
        // a class that goes over the edge of a value can only be read as one text
        let glob = read(&parts).or_else(|_| read(&[Part::Text(&whole)]));
        glob.is_ok_and(|glob| glob.fit(text, &[])).into()
    }

    /// The text of the pattern with its values.
    fn insert(&self, values: &[Value<'_>]) -> String {
        let mut whole = String::new();
        let mut values = values.iter();
        for piece in &self.pieces {
            match piece {
                Held::Text(text) => whole.push_str(text),
                _ => match values.next() {
                    Some(Value::Quoted(value)) => quote(value, &mut whole),
                    Some(Value::Raw(value)) => whole.push_str(value),
                    Some(Value::None) | None => whole.push_str(NOTHING),
                },
            }
        }
        whole
    }

    fn holes(&self) -> impl Iterator<Item = &Held> {
        self.pieces.iter().filter(|piece| !matches!(piece, Held::Text(_)))
    }

    fn label(&mut self, label: &str) -> usize {
        self.labels.iter().position(|known| known == label).unwrap_or_else(|| {
            self.labels.push(label.to_owned());
            self.labels.len() - 1
        })
    }

    /// Reads the glob, and finds what would be malformed whatever the values are.
    fn check(&mut self) -> Result<(), String> {
        let sample = self.insert(&[Value::Quoted("x"); HOLES_MAX]);
        if self.shape == Shape::Regex {
            let inner = between_slashes(&sample).unwrap_or_default();
            return match compile(inner) {
                Ok(_) => Ok(()),
                Err(wrong) => Err(format!("with x for each placeholder, the expression {sample:?}: {wrong}")),
            };
        }
        let parts: Vec<_> = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Held::Text(text) => Part::Text(text),
                _ => Part::Slot,
            })
            .collect();
        self.glob = read(&parts).ok();
        match read(&[Part::Text(&sample)]) {
            Ok(_) => Ok(()),
            Err(wrong) => Err(format!("with x for each placeholder, the glob {sample:?} {wrong}")),
        }
    }
}

/// docker_auth looks at the slashes after it has inserted all values. So do we where a group or a label may bring them;
/// the value of a field is meant letter by letter, and makes no expression.
fn shape(pieces: &[Piece<'_>]) -> Shape {
    let end = |piece: Option<&Piece<'_>>, slash: fn(&str) -> bool| match piece {
        Some(Piece::Text(text)) => slash(text).then_some(Shape::Regex),
        Some(Piece::Capture(..) | Piece::Label(_)) => Some(Shape::Either),
        Some(Piece::Value(_)) | None => None,
    };
    match (end(pieces.first(), |text| text.starts_with('/')), end(pieces.last(), |text| text.ends_with('/')))
    {
        (Some(Shape::Regex), Some(Shape::Regex)) => Shape::Regex,
        (Some(_), Some(_)) => Shape::Either,
        _ => Shape::Glob,
    }
}

/// The expression that a rule has for a field, if it has such a group.
pub fn source_of_group(entry: &Match, field: Field, group: usize) -> Option<Regex> {
    let source = entry.pattern(field)?;
    let whole = pieces(source).ok()?;
    let [Piece::Text(_)] = whole.as_slice() else { return None };
    let regex = compile(between_slashes(source)?).ok()?;
    (1..regex.captures_len()).contains(&group).then_some(regex)
}

/// Go's `regexp.QuoteMeta`, which globs read as well.
fn quote(value: &str, into: &mut String) {
    for one in value.chars() {
        if "\\.+*?()|[]{}^$".contains(one) {
            into.push('\\');
        }
        into.push(one);
    }
}
