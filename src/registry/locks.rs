//! Who may change which names of a repository at the same time.
//!
//! Names (files) and facts (rows) of one tag must end in the same order, so whoever moves a tag holds its
//! lock from the first name to the last fact. Pushes of different tags go side by side; a removal goes alone
//! in its repository. Locks are stripes: two names may share one by chance, which costs a wait, never a
//! wrong answer.

use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hash, RandomState};
use tokio::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

const STRIPES: usize = 1024;

/// All locks of a registry.
pub struct Locks {
    repositories: Vec<RwLock<()>>,
    tags: Vec<Mutex<()>>,
    hasher: RandomState,
}

/// Held while names are added to a repository.
pub struct Adding<'a> {
    _repository: RwLockReadGuard<'a, ()>,
    _tags: Vec<MutexGuard<'a, ()>>,
}

/// Held while names are removed from a repository.
pub struct Removing<'a> {
    _repository: RwLockWriteGuard<'a, ()>,
}

impl Default for Locks {
    fn default() -> Self {
        Self {
            repositories: (0..STRIPES).map(|_| RwLock::new(())).collect(),
            tags: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Locks {
    /// Waits until names may be added to the repository and these tags moved.
    pub async fn adding(&self, repository: &Repository, tags: &[Tag]) -> Adding<'_> {
        let held = self.repositories[self.stripe(repository)].read().await;
        // In the order of the stripes, each once: two pushes of several tags cannot wait for each other.
        let stripes: BTreeSet<usize> = tags.iter().map(|tag| self.stripe((repository, tag))).collect();
        let mut guards = Vec::with_capacity(stripes.len());
        for stripe in stripes {
            guards.push(self.tags[stripe].lock().await);
        }
        Adding { _repository: held, _tags: guards }
    }

    /// Waits until names may be removed from the repository.
    pub async fn removing(&self, repository: &Repository) -> Removing<'_> {
        Removing { _repository: self.repositories[self.stripe(repository)].write().await }
    }

    fn stripe(&self, key: impl Hash) -> usize {
        self.hasher.hash_one(key) as usize % STRIPES
    }
}
