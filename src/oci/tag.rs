//! Tags (distribution-spec, "Pulling manifests"): `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.

use crate::oci::error::{Invalid, shortened};
use crate::oci::text::written_as_text;
use std::fmt;
use std::str::FromStr;

/// A human name for a manifest in a repository.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Box<str>);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        let valid = match text.as_bytes() {
            [first, rest @ ..] => {
                word(*first) && rest.len() < 128 && rest.iter().all(|&c| word(c) || c == b'.' || c == b'-')
            }
            [] => false,
        };
        if valid { Ok(Self(text.into())) } else { Err(Invalid::Tag(shortened(text))) }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

written_as_text!(Tag);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_holds() {
        for good in ["1", "latest", "_x", "V1.2-rc_3", &"a".repeat(128)] {
            assert_eq!(good.parse::<Tag>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "-a", ".a", "a b", "a/b", "a:b", "a%20", "é", &"a".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?} was accepted");
        }
    }
}
