//! Regular expressions of rules: bounded when they are made, linear when they are asked, and those that a decision has
//! to make first are remembered for the next. Knows nothing of rules.

use crate::acl::dialect::from_go;
use moka::sync::Cache;
use regex::{Error, Regex, RegexBuilder};

/// Memory that an expression of the configuration may take when it is compiled.
const FIXED_BYTES_MAX: usize = 1 << 20;
/// The same of one that is made for a decision.
const MADE_BYTES_MAX: usize = 128 << 10;
/// Length of one that is made for a decision.
const MADE_TEXT_MAX: usize = 4 << 10;
/// Expressions that are remembered.
const MEMO: u64 = 1024;

/// Matches nothing; stands for a placeholder without a value.
pub const NOTHING: &str = "[^\\s\\S]";

/// Whether something fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fits {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// To find out would take too much. Whoever asks must deny, since either answer could be the one that opens.
    Unknown,
}

impl From<bool> for Fits {
    fn from(fits: bool) -> Self {
        if fits { Self::Yes } else { Self::No }
    }
}

/// What is between the slashes, if a pattern is a regular expression.
pub fn between_slashes(pattern: &str) -> Option<&str> {
    let inner = pattern.strip_prefix('/')?.strip_suffix('/')?;
    (!inner.is_empty()).then_some(inner)
}

/// An expression in Go's dialect. Never anchored by us.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    build(&from_go(pattern)?, FIXED_BYTES_MAX).map_err(|error| match error {
        Error::CompiledTooBig(_) => "it is too large".to_owned(),
        // several lines with a drawing; the last one says what is wrong
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    })
}

fn build(pattern: &str, bytes: usize) -> Result<Regex, Error> {
    RegexBuilder::new(pattern).size_limit(bytes).dfa_size_limit(bytes).build()
}

/// What was found about an expression that a decision made.
#[derive(Debug, Clone)]
enum Made {
    Good(Regex),
    Malformed,
    TooLarge,
}

/// Remembers expressions that decisions made: at most 1,024.
#[derive(Debug, Clone)]
pub struct Memo(Cache<String, Made>);

impl Default for Memo {
    fn default() -> Self {
        Self(Cache::new(MEMO))
    }
}

impl Memo {
    /// Whether an expression, in Go's dialect, is found in a text. A malformed one is found nowhere.
    pub fn find(&self, pattern: &str, text: &str) -> Fits {
        if pattern.len() > MADE_TEXT_MAX {
            return Fits::Unknown;
        }
        let made = self.0.get(pattern).unwrap_or_else(|| {
            let made = make(pattern);
            self.0.insert(pattern.to_owned(), made.clone());
            made
        });
        match made {
            Made::Good(regex) => regex.is_match(text).into(),
            Made::Malformed => Fits::No,
            Made::TooLarge => Fits::Unknown,
        }
    }
}

fn make(pattern: &str) -> Made {
    let Ok(pattern) = from_go(pattern) else { return Made::Malformed };
    match build(&pattern, MADE_BYTES_MAX) {
        Ok(regex) => Made::Good(regex),
        Err(Error::CompiledTooBig(_)) => Made::TooLarge,
        Err(_) => Made::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_need_something_between_them() {
        for (text, inner) in [("/a/", Some("a")), ("///", Some("/")), ("//", None), ("/", None), ("a/", None)]
        {
            assert_eq!(between_slashes(text), inner, "{text:?}");
        }
    }

    #[test]
    fn what_was_made_is_remembered_and_bounded() {
        let memo = Memo::default();
        for _ in 0..2 {
            assert_eq!(memo.find("^a+$", "aa"), Fits::Yes);
            assert_eq!(memo.find("^a+$", "ab"), Fits::No);
            assert_eq!(memo.find("(", "("), Fits::No);
            assert_eq!(memo.find("a**", "a"), Fits::No);
            assert_eq!(memo.find("(a{300}){300}", "a"), Fits::Unknown);
        }
        assert_eq!(memo.find(&"a".repeat(5000), "a"), Fits::Unknown);
        for n in 0..5000 {
            memo.find(&format!("^{n}$"), "x");
        }
        memo.0.run_pending_tasks();
        assert!(memo.0.entry_count() <= MEMO);
        assert_eq!(compile(NOTHING).unwrap().find("anything"), None);
    }
}
