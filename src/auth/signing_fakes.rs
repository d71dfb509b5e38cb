//! For the tests of keys and tokens: signing keys kept in memory, as the contract of `metadata::signing_keys` says.

use crate::acl::identity::AccountKind;
use crate::auth::algorithm::Algorithm;
use crate::auth::claims::{Account, Granted};
use crate::auth::config::Config;
use crate::auth::issuer::{Issuer, Subject};
use crate::auth::ring::KeyRing;
use crate::auth::verifier::Verifier;
use crate::clock::{Clock, FixedClock};
use crate::metadata::error::{Error, Result};
use crate::metadata::signing_keys::{SigningKey, SigningKeys};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// When the tests begin.
pub const START: u64 = 1_800_000_000;

/// Keys in memory.
#[derive(Default)]
pub struct Store {
    rows: Mutex<Vec<SigningKey>>,
    /// How often the list was read.
    pub reads: AtomicUsize,
    /// Whether it answers nothing.
    pub broken: AtomicBool,
}

impl Store {
    /// What is there.
    pub fn rows(&self) -> Vec<SigningKey> {
        self.rows.lock().unwrap().clone()
    }

    /// Puts something there, whatever it is.
    pub fn put(&self, row: SigningKey) {
        let mut rows = self.rows.lock().unwrap();
        rows.push(row);
        rows.sort_by_key(|row| row.created);
    }
}

#[async_trait::async_trait]
impl SigningKeys for Store {
    async fn all(&self) -> Result<Vec<SigningKey>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::Fault("broken".into()));
        }
        tokio::task::yield_now().await;
        Ok(self.rows())
    }

    async fn add(&self, key: &SigningKey, since: u64) -> Result<bool> {
        tokio::task::yield_now().await;
        let mut rows = self.rows.lock().unwrap();
        if rows.iter().any(|row| row.algorithm == key.algorithm && row.created > since) {
            return Ok(false);
        }
        rows.push(key.clone());
        rows.sort_by_key(|row| row.created);
        Ok(true)
    }

    async fn remove(&self, id: &str) -> Result<()> {
        self.rows.lock().unwrap().retain(|row| row.id != id);
        Ok(())
    }
}

/// A store, a clock, and what stands on them.
pub struct House {
    /// The store.
    pub store: Arc<Store>,
    /// The clock.
    pub clock: Arc<FixedClock>,
    /// The settings.
    pub config: Config,
}

impl House {
    /// An empty one.
    pub fn new(algorithm: Algorithm) -> Self {
        let mut config = Config::default();
        config.signing.algorithm = algorithm;
        Self { store: Arc::default(), clock: Arc::new(FixedClock::at(START)), config }
    }

    /// The clock, as others take it.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Another ring over the same store, as another replica has it.
    pub async fn ring(&self) -> Arc<KeyRing> {
        Arc::new(self.try_ring().await.unwrap())
    }

    /// An issuer and a verifier over one ring.
    pub async fn issuer_and_verifier(&self) -> (Issuer, Verifier) {
        let ring = self.ring().await;
        let issuer = Issuer::new(&self.config, ring.clone(), self.clock());
        (issuer, Verifier::new(&self.config, ring, self.clock()))
    }

    /// Another ring, where it may fail.
    pub async fn try_ring(&self) -> crate::auth::error::Result<KeyRing> {
        KeyRing::open(self.config.signing.clone(), self.store.clone(), self.clock()).await
    }
}

/// An account of our own.
pub fn subject(name: &str) -> Subject {
    let (kind, source, epoch) = (AccountKind::User, "accounts".into(), 7);
    Subject { name: name.into(), account: Account { kind, source, epoch, ..Account::anonymous() } }
}

/// Actions on a repository.
pub fn granted(name: &str, actions: &[&str]) -> Granted {
    let actions = actions.iter().map(ToString::to_string).collect();
    Granted { kind: "repository".into(), name: name.into(), actions }
}
