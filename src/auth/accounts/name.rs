//! What may be a name, an e-mail address or a description. Names are compared as they are given; two accounts whose
//! names differ only by case are refused, as people could not tell them apart.

use crate::auth::error::{Error, Result};
use crate::record::NAME_BYTES_MAX;

/// Longest description, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 512;
/// Longest first or last name of a person, in bytes.
pub const PERSON_BYTES_MAX: usize = 128;
/// Longest e-mail address, in bytes (RFC 5321, 4.5.3.1.3, without the brackets).
pub const EMAIL_BYTES_MAX: usize = 254;
/// Longest name of an account of another source, in bytes.
pub const OTHER_BYTES_MAX: usize = 256;

/// A name of a user or a group: letters and digits of any script, and `._@+-`.
pub fn account(name: &str) -> Result<()> {
    bounded("a name", name, NAME_BYTES_MAX)?;
    if name.is_empty() {
        return Err(Error::Invalid("a name is needed".into()));
    }
    if name.starts_with(['.', '-']) {
        return Err(Error::Invalid("a name does not begin with a dot or a hyphen".into()));
    }
    match name.chars().find(|c| !c.is_alphanumeric() && !"._@+-".contains(*c)) {
        None => Ok(()),
        Some(odd) => {
            Err(Error::Invalid(format!("{odd:?} cannot stand in a name; letters, digits and ._@+- can")))
        }
    }
}

/// A name of a service account: safe in a shell, a URL and a file name.
pub fn service(name: &str) -> Result<()> {
    bounded("a name", name, NAME_BYTES_MAX)?;
    let plain = |c: &u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = name.as_bytes();
    if bytes.first().is_some_and(plain) && bytes.iter().all(|c| plain(c) || b"._-".contains(c)) {
        return Ok(());
    }
    Err(Error::Invalid(
        "the name of a service account is of a-z, 0-9, dots, underscores and hyphens, and begins with a letter or a \
         digit"
            .into(),
    ))
}

/// A name that another source of users may know: whatever is one line of text.
pub fn other(name: &str) -> Result<()> {
    if name.trim() != name || name.is_empty() {
        return Err(Error::Invalid("a name is neither empty nor begins or ends with a space".into()));
    }
    line("a name", name, OTHER_BYTES_MAX)
}

/// An e-mail address, or none. Only mail sent to it could really tell.
pub fn email(text: &str) -> Result<()> {
    line("an e-mail address", text, EMAIL_BYTES_MAX)?;
    let whole = text.rsplit_once('@').is_some_and(|(who, at)| {
        !who.is_empty() && !at.is_empty() && !at.starts_with('.') && !text.contains(char::is_whitespace)
    });
    if text.is_empty() || whole {
        return Ok(());
    }
    Err(Error::Invalid("this is no e-mail address".into()))
}

/// One line of text, or none; `what` names the field.
pub fn line(what: &str, text: &str, bytes_max: usize) -> Result<()> {
    bounded(what, text, bytes_max)?;
    if text.contains(char::is_control) {
        return Err(Error::Invalid(format!("{what} is one line, without control characters")));
    }
    Ok(())
}

/// What two names that differ only by case have in common.
pub fn folded(name: &str) -> String {
    name.to_lowercase()
}

fn bounded(what: &str, text: &str, bytes_max: usize) -> Result<()> {
    if text.len() > bytes_max {
        return Err(Error::Invalid(format!("{what} has at most {bytes_max} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_people_are_taken() {
        for name in
            ["a", "alice", "Алиса", "jörg.müller", "a@b.example", "x+y_z-1", "7", "愛", &"a".repeat(64)]
        {
            assert!(account(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_lie_or_break_something_are_refused() {
        for name in [
            "",
            ".hidden",
            "-rf",
            "..",
            "a:b",
            "a/b",
            "a b",
            "a\n",
            "a\0b",
            "a\u{200b}b",
            "a\u{202e}b",
            "<token>",
            "a%2fb",
            "a\\b",
            "e\u{301}",
            &"a".repeat(65),
            &"я".repeat(33),
        ] {
            assert!(matches!(account(name), Err(Error::Invalid(_))), "{name:?}");
        }
    }

    #[test]
    fn names_of_service_accounts_are_safe_in_a_shell() {
        for name in ["ci", "0", "build.linux_x86-64"] {
            assert!(service(name).is_ok(), "{name}");
        }
        for name in ["", "CI", "-x", ".x", "_x", "a b", "$x", "a;b", "ä", "a@b", "a+b", &"a".repeat(65)] {
            assert!(service(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn addresses_are_checked_lightly() {
        for text in ["", "a@b", "a.b+c@example.com", "\"odd@one\"@example.com", "ü@ä.example"] {
            assert!(email(text).is_ok(), "{text}");
        }
        for text in ["a", "@b", "a@", "a b@c", "a@b\r\nBcc: c@d", &format!("{}@b", "a".repeat(254))] {
            assert!(email(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_one_path_component_and_one_field(name in "\\PC{0,20}|[ -~\\x00-\\x1f]{0,20}") {
            if account(&name).is_ok() || service(&name).is_ok() {
                prop_assert!(!name.contains(['/', ':', '\\', ' ', '\0', '\r', '\n', '"', '\'', '$', '`', '%', '*']));
                prop_assert!(!name.starts_with(['.', '-']) && !name.is_empty() && name.len() <= 64);
            }
        }

        #[test]
        fn every_name_of_a_service_account_could_be_one_of_a_user(name in "[a-z0-9][a-z0-9._-]{0,63}") {
            prop_assert!(service(&name).is_ok() && account(&name).is_ok());
        }
    }
}
