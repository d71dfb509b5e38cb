//! Operations of this process whose names and facts may still differ, because storage or the metadata did not answer
//! when they were to be made to agree. `recover::again` comes back to them.

use crate::metadata::intents::{Intent, IntentId};
use std::sync::{Mutex, PoisonError};

/// Most of them that are remembered.
const MAX: usize = 10_000;

/// One operation.
#[derive(Debug, Clone)]
pub struct Unsettled {
    /// Its intent, which stands, or did.
    pub id: IntentId,
    /// The names that it may have changed; `None`: none, it is only to be ended.
    pub intent: Option<Intent>,
}

/// All of them.
#[derive(Default)]
pub struct AllUnsettled(Mutex<Vec<Unsettled>>);

impl AllUnsettled {
    /// Remembers one. False: there are too many, and whoever settles what other processes have left has to do it.
    #[must_use]
    pub fn add(&self, one: Unsettled) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = all.len() < MAX;
        if fits {
            all.push(one);
        }
        fits
    }

    /// All of them; they are the caller's now.
    pub fn take(&self) -> Vec<Unsettled> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
