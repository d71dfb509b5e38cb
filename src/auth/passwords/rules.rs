//! What may be chosen as a password, and one that is chosen by chance.

use crate::auth::error::{Error, Result};
use crate::secret::Secret;

/// Longest password, in bytes. A longer one is wrong before anything is hashed.
pub const PASSWORD_BYTES_MAX: usize = 1024;
const PASSWORD_BYTES_MIN: usize = 8;
/// What our own opaque tokens begin with: a password that looks like one would be taken for one.
const TOKEN_PREFIXES: [&str; 3] = ["hfp_", "hfs_", "hfr_"];
/// Without 0, 1, l and o, which are mistaken for each other; 32 of them, so that each carries five bits.
const READABLE: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";
const GROUPS: usize = 6;
const GROUP_CHARS: usize = 5;

/// Whether a text may become a password. Length is what makes one strong, so nothing is asked of what it is made of.
pub fn check_new(password: &Secret) -> Result<()> {
    let text = password.expose();
    let refusal = match text.len() {
        ..PASSWORD_BYTES_MIN => "a password has at least 8 bytes",
        length if length > PASSWORD_BYTES_MAX => "a password has at most 1024 bytes",
        _ if text.contains('\0') => "a password holds no NUL byte",
        _ if TOKEN_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) => {
            "a password does not begin with hfp_, hfs_ or hfr_: it would be taken for a token"
        }
        _ => return Ok(()),
    };
    Err(Error::Invalid(refusal.into()))
}

/// A password by chance, of 150 bits, that can be read aloud.
pub fn initial() -> Result<Secret> {
    let mut bytes = [0; GROUPS * GROUP_CHARS];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Key("the system gives no random bytes".into()))?;
    let mut text = String::with_capacity(bytes.len() + GROUPS);
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % GROUP_CHARS == 0 {
            text.push('-');
        }
        text.push(char::from(READABLE[usize::from(byte % 32)]));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn any_text_of_some_length_may_be_chosen() {
        for text in
            ["12345678", "pass:word", "ßßßß", "        ", "🔑🔑", "a\nb\tc\u{7f}de", &"x".repeat(1024)]
        {
            assert!(check_new(&Secret::new(text)).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn refusals_are_sentences_without_the_password() {
        for (text, part) in [
            ("", "at least 8"),
            ("1234567", "at least 8"),
            (&"x".repeat(1025), "at most 1024"),
            ("canary\0canary", "NUL"),
            ("hfp_canary-canary", "token"),
            ("hfr_canary-canary", "token"),
        ] {
            let told = check_new(&Secret::new(text)).unwrap_err().to_string();
            assert!(told.contains(part) && !told.contains("canary"), "{told}");
        }
    }

    #[test]
    fn initial_passwords_are_readable_and_never_the_same() {
        let made: HashSet<String> = (0..200).map(|_| initial().unwrap().expose().to_owned()).collect();
        assert_eq!(made.len(), 200);
        for text in made {
            assert!(check_new(&Secret::new(text.clone())).is_ok());
            assert!(text.split('-').all(|group| group.len() == GROUP_CHARS), "{text}");
            assert!(text.bytes().all(|byte| byte == b'-' || READABLE.contains(&byte)), "{text}");
            assert!(text.bytes().filter(|byte| *byte != b'-').count() * 5 >= 128);
        }
    }
}
