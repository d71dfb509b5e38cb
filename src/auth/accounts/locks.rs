//! Who may change which documents at the same time, within this process; `alone.rs` sees to the same among several.
//!
//! Taken from the outside in: an account or a group, for all that hangs on it; then the administrators, by whoever would
//! make one less; then one record, from its intent to its fact. An account may be held while a group is taken, never
//! the other way. Locks are stripes: two names may share one by chance, which costs a wait, never a wrong answer.

use crate::auth::accounts::name::folded;
use crate::record::Shelf;
use std::hash::{BuildHasher, Hash, RandomState};
use tokio::sync::{Mutex, MutexGuard};

const STRIPES: usize = 256;

/// All locks of the accounts.
pub struct Locks {
    accounts: Vec<Mutex<()>>,
    groups: Vec<Mutex<()>>,
    records: Vec<Mutex<()>>,
    admins: Mutex<()>,
    hasher: RandomState,
}

impl Default for Locks {
    fn default() -> Self {
        let stripes = || (0..STRIPES).map(|_| Mutex::new(())).collect();
        Self {
            accounts: stripes(),
            groups: stripes(),
            records: stripes(),
            admins: Mutex::new(()),
            hasher: RandomState::new(),
        }
    }
}

impl Locks {
    /// Waits until the account of this name, user or service account, and its tokens may be changed.
    pub async fn account(&self, name: &str) -> MutexGuard<'_, ()> {
        self.accounts[self.stripe(folded(name))].lock().await
    }

    /// Waits until the group may be changed.
    pub async fn group(&self, name: &str) -> MutexGuard<'_, ()> {
        self.groups[self.stripe(folded(name))].lock().await
    }

    /// Waits until there may be one administrator less.
    pub async fn admins(&self) -> MutexGuard<'_, ()> {
        self.admins.lock().await
    }

    /// Waits until the record may be written.
    pub async fn record(&self, shelf: Shelf, name: &str) -> MutexGuard<'_, ()> {
        self.records[self.stripe((shelf, name))].lock().await
    }

    fn stripe(&self, key: impl Hash) -> usize {
        self.hasher.hash_one(key) as usize % STRIPES
    }
}
