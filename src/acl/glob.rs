//! How globs are written: Go's `path.Match` (`*`, `?`, `[a-z]`, `[^a]`, `\x`; none of `*` and `?` crosses a `/`), and
//! `**`, which does. A malformed glob is an error when it is read, never when it is asked.

use crate::acl::tokens::{Class, Token, Tokens};
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// Longest glob in bytes; a name has at most 255.
pub const GLOB_BYTES_MAX: usize = 1024;

/// A glob, and its text. Two are equal when their texts are.
#[derive(Debug, Clone)]
pub struct Glob {
    text: Box<str>,
    tokens: Tokens,
}

impl Glob {
    /// Reads a glob.
    pub fn new(text: &str) -> Result<Self, String> {
        let tokens = read(&[Part::Text(text)]).map_err(|wrong| format!("the glob {text:?} {wrong}"))?;
        Ok(Self { text: text.into(), tokens })
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it consists of.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Whether a whole text fits.
    pub fn matches(&self, text: &str) -> bool {
        self.tokens.fit(text, &[])
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A part of a glob that is put together.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// Glob syntax, complete in itself: a class does not go on in the next part, and stars of two parts make no `**`.
    Text(&'a str),
    /// A value that is meant letter by letter.
    Literal(&'a str),
    /// A value that comes with the question.
    Slot,
}

/// Reads a glob out of its parts. The error goes on after `the glob ".."`.
pub fn read(parts: &[Part<'_>]) -> Result<Tokens, &'static str> {
    let long = |part: &Part<'_>| match part {
        Part::Text(text) | Part::Literal(text) => text.len(),
        Part::Slot => 0,
    };
    if parts.iter().map(long).sum::<usize>() > GLOB_BYTES_MAX {
        return Err("is longer than 1024 bytes");
    }
    let mut tokens = Tokens::default();
    for part in parts {
        match part {
            Part::Text(text) => syntax(text, &mut tokens)?,
            Part::Literal("") => {}
            Part::Literal(text) => tokens.push(Token::Literal((*text).to_owned())),
            Part::Slot => tokens.push(Token::Slot),
        }
    }
    Ok(tokens)
}

fn syntax(text: &str, into: &mut Tokens) -> Result<(), &'static str> {
    let mut chars = text.chars().peekable();
    while let Some(one) = chars.next() {
        into.push(match one {
            '*' if chars.peek() == Some(&'*') => {
                while chars.next_if_eq(&'*').is_some() {}
                Token::Across
            }
            '*' => Token::Star,
            '?' => Token::One,
            '[' => Token::Class(class(&mut chars)?),
            '\\' => Token::Literal(chars.next().ok_or("ends in a backslash that escapes nothing")?.into()),
            plain => Token::Literal(plain.into()),
        });
    }
    Ok(())
}

fn class(chars: &mut Peekable<Chars<'_>>) -> Result<Class, &'static str> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while ranges.is_empty() || chars.next_if_eq(&']').is_none() {
        let low = member(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() { member(chars)? } else { low };
        ranges.push((low, high));
    }
    Ok(Class { negated, ranges })
}

/// A character of a class. As in Go `-` and `]` must be escaped.
fn member(chars: &mut Peekable<Chars<'_>>) -> Result<char, &'static str> {
    const OPEN: &str = "has a class [..] that is not closed";
    match chars.next().ok_or(OPEN)? {
        '\\' => chars.next().ok_or(OPEN),
        ']' => Err("has a class [..] in which something is missing; a `]` in it is written `\\]`"),
        '-' => Err("has a class [..] with a `-` that is not between two characters; write `\\-`"),
        plain => Ok(plain),
    }
}
