//! Names of accounts that can be carried: those that a client can send in an Authorization header.

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Why nobody can log in under a name, in a few words.
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
    fn names_that_no_client_can_send() {
        for name in ["a", "a b", "CORP\\amy", "amy@example.com", "\u{e4}my"] {
            assert_eq!(fault(name), None, "{name:?}");
        }
        for name in ["", "a:b", "a\nb", " a", "a ", &"x".repeat(256)] {
            assert!(fault(name).is_some(), "{name:?}");
        }
    }
}
