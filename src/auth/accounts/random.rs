//! Chance: ids, secrets and first epochs, from the operating system through aws-lc.

use crate::auth::error::{Error, Result};

/// Letters and digits of ids: none looks like another, none needs escaping anywhere.
pub const ID_LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Length of an id: 80 bits.
pub const ID_CHARS: usize = 16;

/// A new id.
pub fn id() -> Result<String> {
    text(ID_LETTERS, ID_CHARS)
}

/// Whether a text has the form of an id.
pub fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.bytes().all(|byte| ID_LETTERS.contains(&byte))
}

/// So many letters, each as likely as any other. `letters` are at most 256.
pub fn text(letters: &[u8], count: usize) -> Result<String> {
    // The highest bytes would make the first letters likelier: they are thrown again.
    let fair = 256 - 256 % letters.len().max(1);
    let mut text = String::with_capacity(count);
    while text.len() < count {
        for byte in fill::<64>()? {
            if text.len() < count && usize::from(byte) < fair {
                text.push(char::from(letters[usize::from(byte) % letters.len()]));
            }
        }
    }
    Ok(text)
}

/// The epoch of a new account. Random, so that tokens of an account that was removed are none of a new one of the same
/// name; 48 bits, so that every reader of JSON keeps it exact.
pub fn epoch() -> Result<u64> {
    Ok(fill::<6>()?.into_iter().fold(0, |epoch, byte| epoch << 8 | u64::from(byte)))
}

fn fill<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Key("the system gives no randomness".into()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn all_letters_come_and_no_other() {
        for letters in [&b"ab"[..], ID_LETTERS, b"0123456789"] {
            let text = text(letters, 5000).unwrap();
            let seen: BTreeSet<u8> = text.bytes().collect();
            assert_eq!((text.len(), seen), (5000, letters.iter().copied().collect()));
        }
    }

    #[test]
    fn ids_and_epochs_do_not_come_twice() {
        let ids: BTreeSet<String> = (0..1000).map(|_| id().unwrap()).collect();
        assert!(ids.len() == 1000 && ids.iter().all(|id| is_id(id)));
        let epochs: BTreeSet<u64> = (0..1000).map(|_| epoch().unwrap()).collect();
        assert!(epochs.len() == 1000 && epochs.iter().all(|epoch| *epoch < 1 << 48));
    }
}
