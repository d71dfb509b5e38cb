//! What a stored password is: a bcrypt hash that can be carried as it stands, or one of the other forms that were
//! ever written into such files. It looks at the form alone and hashes nothing.

/// The costs that Holdfast takes. One more would take a processor for many seconds at each login.
const COSTS: std::ops::RangeInclusive<u32> = 4..=16;

/// A hash that no password has: all its bits are zero. For an account that must stay, and stay locked.
pub const LOCKED: &str = "$2b$05$.....................................................";

/// The form of a stored password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A whole bcrypt hash.
    Bcrypt,
    /// Something else, in words.
    Other(&'static str),
}

/// Looks at a stored password.
pub fn form(stored: &str) -> Form {
    match whole(stored) {
        Some(cost) if COSTS.contains(&cost) => Form::Bcrypt,
        Some(17..=31) => {
            Form::Other("a bcrypt hash of a cost over 16, which takes many seconds at each login")
        }
        _ => Form::Other(named(stored)),
    }
}

/// The cost of a whole bcrypt hash: `$2y$05$`, 22 characters of salt, 31 of hash.
fn whole(stored: &str) -> Option<u32> {
    let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|kind| stored.strip_prefix(kind))?;
    let (cost, rest) = rest.split_once('$')?;
    let digits = cost.len() == 2 && cost.bytes().all(|b| b.is_ascii_digit());
    let base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'/';
    if !digits || rest.len() != 53 || !rest.bytes().all(base64) {
        return None;
    }
    cost.parse().ok()
}

fn named(stored: &str) -> &'static str {
    let begins = |with: &str| stored.starts_with(with);
    if stored.is_empty() {
        "empty"
    } else if begins("$2x$") {
        "a hash of the broken bcrypt variant $2x$"
    } else if begins("$2") {
        "a damaged bcrypt hash"
    } else if begins("$apr1$") || begins("$1$") {
        "an MD5 hash"
    } else if begins("{SHA}") || begins("{SSHA}") {
        "a SHA-1 hash"
    } else if begins("$5$") {
        "a SHA-256 crypt hash"
    } else if begins("$6$") {
        "a SHA-512 crypt hash"
    } else if begins("$argon2") {
        "an argon2 hash"
    } else if begins("pbkdf2_") || begins("$pbkdf2") {
        "a PBKDF2 hash"
    } else if begins("$y$") || begins("$7$") {
        "a yescrypt or scrypt hash"
    } else if stored.len() == 13 {
        "a DES crypt hash"
    } else {
        "no hash that is known, perhaps the password itself"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$05$LO.vzwpWC5LZGqThvEfznu8qhb5SGqvBSWY1J3yZ4AxtMRZ3kN5jC";

    #[test]
    fn whole_bcrypt_hashes_are_known() {
        for (kind, cost) in [("2y", 4), ("2a", 16), ("2b", 12)] {
            let hash = HASH.replacen("2y$05", &format!("{kind}${cost:02}"), 1);
            assert_eq!(form(&hash), Form::Bcrypt, "{hash}");
        }
    }

    #[test]
    fn the_hash_of_a_locked_account_is_one() {
        assert_eq!((LOCKED.len(), form(LOCKED)), (60, Form::Bcrypt));
        assert!(!bcrypt::verify("", LOCKED).unwrap());
    }

    #[test]
    fn whatever_is_not_whole_is_named() {
        let long = format!("{HASH}x");
        for (stored, word) in [
            ("", "empty"),
            (&HASH[..59], "damaged"),
            (&long, "damaged"),
            (&HASH.replace("$05$", "$32$"), "damaged"),
            (&HASH.replace("$05$", "$03$"), "damaged"),
            (&HASH.replace("$05$", "$17$"), "cost over 16"),
            (&HASH.replace("$05$", "$31$"), "cost over 16"),
            (&HASH.replace("$05$", "$+5$"), "damaged"),
            (&HASH.replace("2y", "2x"), "broken"),
            ("$apr1$abc$def", "MD5"),
            ("{SHA}abc=", "SHA-1"),
            ("$6$a$b", "SHA-512"),
            ("rl0uE8q5rM6XY", "DES"),
            ("hunter2", "the password itself"),
        ] {
            assert!(
                matches!(form(stored), Form::Other(name) if name.contains(word)),
                "{stored}: {:?}",
                form(stored)
            );
        }
    }
}
