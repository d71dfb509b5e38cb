//! The text of a token: `hfp_<id>_<random>` for a personal one, `hfs_` for a service account's, `hfr_` for a refresh
//! token. 64 characters, so that one look tells it from a password, and secret scanners can find it.

use crate::auth::accounts::random;
use crate::auth::accounts::token::TokenKind;
use crate::auth::error::Result;
use crate::secret::Secret;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 43 of 62 letters: 256 bits.
const RANDOM_CHARS: usize = 43;
const PREFIX_CHARS: usize = 4;
const TEXT_CHARS: usize = PREFIX_CHARS + random::ID_CHARS + 1 + RANDOM_CHARS;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// A text that has the form of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Presented<'a> {
    /// The sort that it says to be.
    pub kind: TokenKind,
    /// The id to look for.
    pub id: &'a str,
}

/// A new text.
pub struct Fresh {
    /// The id in it.
    pub id: String,
    /// The text.
    pub secret: Secret,
    /// What to keep of it.
    pub hash: Secret,
}

/// Makes a text.
pub fn fresh(kind: TokenKind) -> Result<Fresh> {
    let id = random::id()?;
    let text = format!("{}{id}_{}", prefix(kind), random::text(LETTERS, RANDOM_CHARS)?);
    Ok(Fresh { id, hash: Secret::new(hex(&hash(&text))), secret: Secret::new(text) })
}

/// Reads a text; `None` if it cannot be a token.
pub fn parse(text: &str) -> Option<Presented<'_>> {
    if text.len() != TEXT_CHARS {
        return None;
    }
    let kind = [TokenKind::Personal, TokenKind::Service, TokenKind::Refresh]
        .into_iter()
        .find(|kind| text.starts_with(prefix(*kind)))?;
    let (id, rest) = text.get(PREFIX_CHARS..)?.split_at_checked(random::ID_CHARS)?;
    let random = rest.strip_prefix('_')?;
    let whole = random::is_id(id) && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    whole.then_some(Presented { kind, id })
}

/// Whether a password is one of our tokens by its looks. Such a one is shown to no other source of users, and costs no
/// password hash.
pub fn looks_like_token(password: &str) -> bool {
    parse(password).is_some()
}

/// Whether a text is the one that was hashed so. Takes as long for a wrong one as for the right one.
pub fn matches(text: &str, kept: &Secret) -> bool {
    verify_slices_are_equal(hex(&hash(text)).as_bytes(), kept.expose().as_bytes()).is_ok()
}

fn prefix(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Personal => "hfp_",
        TokenKind::Service => "hfs_",
        TokenKind::Refresh => "hfr_",
    }
}

/// The whole text is hashed, prefix and all: a text of one sort is never one of another.
fn hash(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(HEX[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [TokenKind; 3] = [TokenKind::Personal, TokenKind::Service, TokenKind::Refresh];

    #[test]
    fn a_fresh_text_is_read_again() {
        for kind in KINDS {
            let fresh = fresh(kind).unwrap();
            let text = fresh.secret.expose();
            assert_eq!(text.len(), 64);
            let presented = parse(text).unwrap();
            assert!(presented.kind == kind && presented.id == fresh.id);
            assert!(looks_like_token(text) && matches(text, &fresh.hash));
            assert_eq!(fresh.hash.expose().len(), 64);
            assert!(!fresh.hash.expose().contains(text) && format!("{:?}", fresh.secret) == "***");
        }
    }

    #[test]
    fn the_hash_is_sha_256_in_hex() {
        assert_eq!(hex(&hash("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn no_letter_may_differ() {
        let fresh = fresh(TokenKind::Personal).unwrap();
        let text = fresh.secret.expose();
        for at in 0..text.len() {
            let mut other = text.as_bytes().to_vec();
            other[at] = if other[at] == b's' { b'r' } else { b's' };
            assert!(!matches(std::str::from_utf8(&other).unwrap(), &fresh.hash), "at {at}");
        }
        for kept in ["", "00", &text[..63]] {
            assert!(!matches(text, &Secret::new(kept)), "{kept:?}");
        }
    }

    #[test]
    fn passwords_are_no_tokens() {
        let text = fresh(TokenKind::Personal).unwrap().secret.expose().to_owned();
        for other in [
            &text[1..],
            &text[..63],
            &format!("{text}x"),
            &text.to_uppercase(),
            "hfp_",
            "",
            "hfp_a_b",
            "hunter2",
        ] {
            assert!(!looks_like_token(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn nothing_breaks_the_reader(text in "\\PC{0,70}|hfp_[a-z2-7]{14,18}_\\PC{40,46}|\\PC{32}") {
            if let Some(presented) = parse(&text) {
                prop_assert!(random::is_id(presented.id) && text.is_ascii());
            }
        }
    }
}
