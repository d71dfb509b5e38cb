//! What was found right a moment ago, so that a machine that sends its password with every request does not cost a
//! hash each time.
//!
//! No password and no hash is held: only a keyed digest over both, whose key dies with the process. A changed hash
//! is another digest, so nothing has to be told of a change. What was wrong is not remembered.

use crate::auth::error::{Error, Result};
use crate::auth::passwords::flights::Key;
use crate::clock::Clock;
use crate::secret::Secret;
use aws_lc_rs::hmac;
use moka::sync::Cache;
use std::sync::Arc;
use std::time::Duration;

const ENTRIES_MAX: u64 = 10_000;

/// What a login is told apart by.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// The source that is asked.
    pub source: &'static str,
    /// The name.
    pub name: &'a str,
    /// The password that was given.
    pub password: &'a Secret,
    /// The hash that it is checked against; empty if the source does not show one.
    pub hash: &'a str,
}

/// What was right, for some seconds.
pub struct Remembered<V> {
    key: hmac::Key,
    entries: Cache<Key, (u64, V)>,
    secs: u64,
    clock: Arc<dyn Clock>,
}

impl<V: Clone + Send + Sync + 'static> Remembered<V> {
    /// Remembers for so many seconds; 0: not at all.
    pub fn new(secs: u64, clock: Arc<dyn Clock>) -> Result<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &aws_lc_rs::rand::SystemRandom::new());
        let key = key.map_err(|_| Error::Key("the system gives no random bytes".into()))?;
        // The clock decides what still holds; the cache's own time only takes out what nobody asks for any more.
        let lifetime = Duration::from_secs(secs.max(1));
        let entries = Cache::builder().max_capacity(ENTRIES_MAX).time_to_live(lifetime).build();
        Ok(Self { key, entries, secs, clock })
    }

    /// The digest of a proof.
    pub fn key(&self, proof: &Proof<'_>) -> Key {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [proof.source, proof.name, proof.password.expose(), proof.hash] {
            // With its length before it, so that no two proofs run together into one.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut key = Key::default();
        key.copy_from_slice(context.sign().as_ref());
        key
    }

    /// What was found, if it was found lately.
    pub fn find(&self, key: &Key) -> Option<V> {
        let (since, value) = self.entries.get(key)?;
        let age = self.clock.unix_secs().checked_sub(since)?;
        (age < self.secs).then_some(value)
    }

    /// Remembers what was found right.
    pub fn keep(&self, key: Key, value: V) {
        if self.secs > 0 {
            self.entries.insert(key, (self.clock.unix_secs(), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FixedClock;

    fn proof<'a>(name: &'a str, password: &'a Secret, hash: &'a str) -> Proof<'a> {
        Proof { source: "accounts", name, password, hash }
    }

    fn remembered(secs: u64) -> (Remembered<u8>, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::at(1000));
        (Remembered::new(secs, Arc::clone(&clock) as Arc<dyn Clock>).unwrap(), clock)
    }

    #[test]
    fn every_part_of_a_proof_counts() {
        let (remembered, _) = remembered(60);
        let (password, other) = (Secret::new("secret"), Secret::new("secreT"));
        let key = remembered.key(&proof("a", &password, "hash"));
        assert_eq!(key, remembered.key(&proof("a", &password, "hash")));
        let (short, long) = (Secret::new("ecret"), Secret::new("secreth"));
        let others = [
            proof("b", &password, "hash"),
            proof("a", &other, "hash"),
            proof("a", &password, "hasH"),
            proof("as", &short, "hash"),
            proof("a", &long, "ash"),
            Proof { source: "static", ..proof("a", &password, "hash") },
        ];
        for other in others {
            assert_ne!(key, remembered.key(&other), "{other:?}");
        }
    }

    #[test]
    fn keys_are_of_no_use_to_another_process() {
        let password = Secret::new("secret");
        let proof = proof("a", &password, "hash");
        assert_ne!(remembered(60).0.key(&proof), remembered(60).0.key(&proof));
    }

    #[test]
    fn what_was_right_is_forgotten_in_time() {
        let (remembered, clock) = remembered(60);
        let key = [1; 32];
        assert_eq!(remembered.find(&key), None);
        remembered.keep(key, 7);
        assert_eq!(remembered.find(&key), Some(7));
        clock.advance(59);
        assert_eq!(remembered.find(&key), Some(7));
        assert_eq!(remembered.find(&[2; 32]), None);
        clock.advance(1);
        assert_eq!(remembered.find(&key), None);
    }

    #[test]
    fn zero_seconds_are_never() {
        let (remembered, _) = remembered(0);
        remembered.keep([1; 32], 7);
        assert_eq!(remembered.find(&[1; 32]), None);
    }
}
