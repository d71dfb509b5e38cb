//! When tokens were last used: collected here, and told to the metadata in batches (`sweep.rs`). A crash loses at most
//! one batch.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Uses that the metadata does not know yet; at most one entry for each token.
#[derive(Default)]
pub struct Uses(Mutex<HashMap<String, u64>>);

impl Uses {
    /// A token was used.
    pub fn record(&self, id: &str, now: u64) {
        let mut uses = self.held();
        match uses.get_mut(id) {
            Some(last) => *last = now.max(*last),
            None => drop(uses.insert(id.to_owned(), now)),
        }
    }

    /// When it was last used, if the metadata does not know yet.
    pub fn last(&self, id: &str) -> Option<u64> {
        self.held().get(id).copied()
    }

    /// All of them, to be told.
    pub fn take(&self) -> Vec<(String, u64)> {
        std::mem::take(&mut *self.held()).into_iter().collect()
    }

    /// These could not be told.
    pub fn put_back(&self, uses: &[(String, u64)]) {
        for (id, at) in uses {
            self.record(id, *at);
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
