//! Repository names (distribution-spec, "Pulling manifests", `<name>`).

use crate::oci::error::{Invalid, shortened};
use crate::oci::text::written_as_text;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest accepted name in bytes; registry:2 has the same limit.
pub const NAME_BYTES_MAX: usize = 255;

/// The name of a repository: path components of `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, joined by `/`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository(Arc<str>);

impl Repository {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_component(component: &str) -> bool {
    let alphanumeric = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = component.as_bytes();
    let mut rest = bytes;
    loop {
        let run = rest.iter().take_while(|&&c| alphanumeric(c)).count();
        if run == 0 {
            return false; // empty, or it begins or ends with a separator
        }
        rest = &rest[run..];
        let separator = match rest {
            [] => return true,
            [b'_', b'_', ..] => 2,
            [b'.' | b'_', ..] => 1,
            [b'-', ..] => rest.iter().take_while(|&&c| c == b'-').count(),
            _ => return false,
        };
        rest = &rest[separator..];
    }
}

impl FromStr for Repository {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() > NAME_BYTES_MAX {
            return Err(Invalid::Name(shortened(text), "it is longer than 255 characters"));
        }
        if !text.split('/').all(is_component) {
            return Err(Invalid::Name(
                shortened(text),
                "components of lower-case letters and digits, separated inside by `.`, `_`, `__` or `-`, are joined by `/`",
            ));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

written_as_text!(Repository);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_grammar_holds() {
        for good in ["a", "0", "team/app", "a__b", "a---b", "a.b_c-d/e", "a/b/c/d/e", &"a".repeat(255)] {
            assert_eq!(good.parse::<Repository>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "..",
            "a/../b",
            ".a",
            "a.",
            "a..b",
            "a___b",
            "a._b",
            "A",
            "a b",
            "a%2fb",
            "é",
            "a\0",
            "_a",
            "-a",
            "a-",
            "a:b",
            &"a".repeat(256),
        ] {
            assert!(bad.parse::<Repository>().is_err(), "{bad:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn accepts_all_that_the_specification_s_expression_makes(
            name in "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,3}(/[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,3}){0,3}"
        ) {
            prop_assert_eq!(name.parse::<Repository>().unwrap().to_string(), name);
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = text.parse::<Repository>();
        }
    }
}
