//! Operations of this process whose names and facts may still differ, because storage or the metadata did not answer
//! when they were to be made to agree. `recover::again` comes back to them.

use crate::metadata::intents::{Intent, IntentId};
use std::sync::{Mutex, PoisonError};

/// Most of them that are remembered. Of others the intent, which stands, is settled by the next start, or by another
/// process.
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
    /// Remembers one.
    pub fn add(&self, one: Unsettled) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MAX {
            all.push(one);
        }
    }

    /// All of them; they are the caller's now.
    pub fn take(&self) -> Vec<Unsettled> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
