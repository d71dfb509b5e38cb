//! The settings of password checks.

use serde::{Deserialize, Serialize};

/// `[auth.passwords]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Most passwords that are hashed at once. 0: half of the processors, at least 1 and at most 4.
    pub hashers: usize,
    /// For so long a password that was right is not hashed again when it comes again. 0: it always is.
    pub remember_secs: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { hashers: 0, remember_secs: 60 }
    }
}

impl Config {
    /// What makes no sense in them.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if self.hashers > 64 {
            mistakes.push("`auth.passwords.hashers` is more than 64: no machine has a use for it".into());
        }
        if self.remember_secs > 3600 {
            mistakes.push(
                "`auth.passwords.remember_secs` is more than 3600: LDAP users would keep an old password for so long"
                    .into(),
            );
        }
        mistakes
    }

    /// How many passwords are hashed at once on this machine.
    pub fn hashers_here(&self) -> usize {
        // Each holds on to its memory, and the other half of the processors is for pulls.
        let half = std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2);
        if self.hashers == 0 { half.clamp(1, 4) } else { self.hashers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_a_hasher() {
        assert!((1..=4).contains(&Config::default().hashers_here()));
        assert_eq!(Config { hashers: 7, ..Config::default() }.hashers_here(), 7);
    }

    #[test]
    fn defaults_make_sense_and_absurd_values_are_told() {
        assert_eq!(Config::default().mistakes(), [""; 0]);
        let absurd = Config { hashers: 65, remember_secs: 3601 };
        assert_eq!(absurd.mistakes().len(), 2);
    }
}
