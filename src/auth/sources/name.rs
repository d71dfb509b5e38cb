//! What can be the name of somebody who logs in, whichever source knows them.

/// Longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// Why a text cannot be a name, in a few words.
pub fn fault(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("is empty"),
        _ if name.len() > NAME_BYTES_MAX => Some("is longer than 255 bytes"),
        _ if name.contains(':') => Some("holds a colon, which no client can send in a name"),
        _ if name.chars().any(char::is_control) => Some("holds a control character"),
        _ if name.trim() != name => Some("begins or ends with a space"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_can_be_sent() {
        for name in ["a", "amy.o'hara@example.com", "CORP\\amy", "ämy", "a b", &"x".repeat(255)] {
            assert_eq!(fault(name), None, "{name:?}");
        }
        for name in ["", "a:b", "a\nb", "a\0", "\u{85}a", " a", "a\u{a0}", &"x".repeat(256)] {
            assert!(fault(name).is_some(), "{name:?}");
        }
    }
}
