//! Checks passwords against stored hashes and makes new ones: once for equal logins at once, and not again for a
//! short while after one was right.
//!
//! An unknown name must cost what a known one costs: whoever found no hash calls `burn` with a dummy of the usual
//! scheme.

use crate::auth::error::{Error, Result};
use crate::auth::passwords::config::Config;
use crate::auth::passwords::flights::Flights;
use crate::auth::passwords::hash::{OURS, StoredHash};
use crate::auth::passwords::hasher::Hasher;
use crate::auth::passwords::remembered::{Proof, Remembered};
use crate::auth::passwords::rules;
use crate::clock::Clock;
use crate::secret::Secret;
use std::sync::Arc;

/// A password that somebody gave for a name.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The source that knows the name, or not.
    pub source: &'static str,
    /// The name.
    pub name: &'a str,
    /// The password.
    pub password: &'a Secret,
}

/// Checks and makes hashes.
pub struct Passwords {
    hasher: Hasher,
    right: Remembered<()>,
    flights: Flights<Checked>,
    dummy: StoredHash,
}

/// What those who wait for one hash are all told.
#[derive(Debug, Clone, Copy)]
enum Checked {
    Is(bool),
    Busy(u64),
    Failed,
}

impl Passwords {
    /// One for the whole process, since it bounds what the process spends.
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Result<Self> {
        Ok(Self {
            hasher: Hasher::new(config.hashers_here()),
            right: Remembered::new(config.remember_secs, clock)?,
            flights: Flights::default(),
            dummy: StoredHash::dummy(OURS)?,
        })
    }

    /// Whether a password is the one of a hash. `Busy` if too many ask at once.
    pub async fn verify(&self, given: Given<'_>, hash: &StoredHash) -> Result<bool> {
        if given.password.expose().len() > rules::PASSWORD_BYTES_MAX {
            return Ok(false);
        }
        let Given { source, name, password } = given;
        let key = self.right.key(&Proof { source, name, password, hash: hash.text() });
        if self.right.find(&key).is_some() {
            return Ok(true);
        }
        let checked = self.flights.join(key, self.compute(password, hash)).await;
        match checked {
            Checked::Is(right) => {
                if right {
                    self.right.keep(key, ());
                }
                Ok(right)
            }
            Checked::Busy(secs) => Err(Error::Busy(secs)),
            Checked::Failed => Err(Error::Key("a password could not be checked".into())),
        }
    }

    /// Spends what `verify` would spend on a hash of this scheme, in just the same way; says nothing.
    pub async fn burn(&self, given: Given<'_>, dummy: &StoredHash) -> Result<()> {
        self.verify(given, dummy).await.map(|_| ())
    }

    /// A hash that no password has, as dear as those that we make.
    pub fn dummy(&self) -> &StoredHash {
        &self.dummy
    }

    /// Hashes a password to be stored. What may be chosen is judged by `rules::check_new`, not here: a password that
    /// was good enough elsewhere is kept as it is.
    pub async fn hash(&self, password: &Secret) -> Result<StoredHash> {
        let password = password.clone();
        let work = move |memory: &mut _| StoredHash::make(password.expose().as_bytes(), memory);
        self.hasher.run(OURS.memory_kib(), work).await?
    }

    /// How many hashes were computed so far.
    pub fn computed(&self) -> usize {
        self.hasher.runs()
    }

    async fn compute(&self, password: &Secret, hash: &StoredHash) -> Checked {
        let (password, hash) = (password.clone(), hash.clone());
        let memory_kib = hash.scheme().memory_kib();
        let work = move |memory: &mut _| hash.verify(password.expose().as_bytes(), memory);
        match self.hasher.run(memory_kib, work).await {
            Ok(right) => Checked::Is(right),
            Err(Error::Busy(secs)) => Checked::Busy(secs),
            Err(_) => Checked::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::passwords::hash::Scheme;
    use crate::clock::FixedClock;
    use futures_util::future::join_all;

    fn passwords(remember_secs: u64) -> (Passwords, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::at(1000));
        let config = Config { hashers: 1, remember_secs };
        (Passwords::new(&config, Arc::clone(&clock) as Arc<dyn Clock>).unwrap(), clock)
    }

    fn given<'a>(name: &'a str, password: &'a Secret) -> Given<'a> {
        Given { source: "accounts", name, password }
    }

    /// Of "U*U", and quickly computed.
    fn quick() -> StoredHash {
        StoredHash::parse("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW").unwrap()
    }

    #[tokio::test]
    async fn what_was_hashed_is_verified() {
        let (passwords, _) = passwords(60);
        let (right, wrong) = (Secret::new("pä:ß wört"), Secret::new("pä:ß wörT"));
        let hash = passwords.hash(&right).await.unwrap();
        assert!(passwords.verify(given("a", &right), &hash).await.unwrap());
        assert!(!passwords.verify(given("a", &wrong), &hash).await.unwrap());
    }

    #[tokio::test]
    async fn what_was_right_is_hashed_once_and_what_was_wrong_each_time() {
        let ((passwords, clock), right, wrong) = (passwords(60), Secret::new("U*U"), Secret::new("U*V"));
        for _ in 0..5 {
            assert!(passwords.verify(given("a", &right), &quick()).await.unwrap());
        }
        assert_eq!(passwords.computed(), 1);
        for _ in 0..5 {
            assert!(!passwords.verify(given("a", &wrong), &quick()).await.unwrap());
        }
        assert_eq!(passwords.computed(), 6);
        clock.advance(60);
        assert!(passwords.verify(given("a", &right), &quick()).await.unwrap());
        assert_eq!(passwords.computed(), 7);
    }

    #[tokio::test]
    async fn a_changed_hash_is_checked_anew() {
        let ((passwords, _), old) = (passwords(60), Secret::new("U*U"));
        assert!(passwords.verify(given("a", &old), &quick()).await.unwrap());
        let changed = StoredHash::dummy(Scheme::Bcrypt { cost: 5 }).unwrap();
        assert!(!passwords.verify(given("a", &old), &changed).await.unwrap());
    }

    /// Asks so often at once: nothing is hashed before all have asked. How many hashes that took.
    async fn at_once<T>(passwords: &Passwords, times: usize, ask: impl AsyncFn() -> T) -> usize {
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let before = passwords.computed() + 1;
        let hold = passwords.hasher.run(1, move |_| gate.recv().is_ok());
        let all = join_all((0..times).map(|_| ask()));
        let open = async { release.send(()).unwrap() };
        let (waited, answers, ()) = tokio::join!(hold, all, open);
        assert!(waited.unwrap() && answers.len() == times);
        passwords.computed() - before
    }

    #[tokio::test]
    async fn equal_logins_at_once_hash_once_right_or_wrong() {
        for password in ["U*U", "wrong"] {
            let ((passwords, _), password, hash) = (passwords(0), Secret::new(password), quick());
            let hashes = at_once(&passwords, 50, async || {
                passwords.verify(given("a", &password), &hash).await.unwrap();
            });
            assert_eq!(hashes.await, 1);
        }
    }

    #[tokio::test]
    async fn unknown_names_cost_what_known_ones_cost() {
        let ((passwords, _), wrong, hash) = (passwords(60), Secret::new("wrong"), quick());
        let dummy = StoredHash::dummy(hash.scheme()).unwrap();
        for times in [1, 9] {
            let known = at_once(&passwords, times, async || {
                passwords.verify(given("a", &wrong), &hash).await.unwrap();
            });
            assert_eq!(known.await, 1);
            let unknown = at_once(&passwords, times, async || {
                passwords.burn(given("b", &wrong), &dummy).await.unwrap();
            });
            assert_eq!(unknown.await, 1);
        }
        assert_eq!(passwords.dummy().scheme(), OURS);
    }

    #[tokio::test]
    async fn a_password_beyond_all_bounds_is_not_hashed() {
        let ((passwords, _), long) = (passwords(60), Secret::new("x".repeat(1025)));
        assert!(!passwords.verify(given("a", &long), &quick()).await.unwrap());
        assert_eq!(passwords.computed(), 0);
    }
}
