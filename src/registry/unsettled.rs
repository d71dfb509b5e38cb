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
    /// What is left to be done.
    pub left: Left,
}

/// What is left to be done for an operation.
#[derive(Debug, Clone)]
pub enum Left {
    /// It has changed no name: its intent is to be ended.
    End,
    /// Its names and facts are to agree, either way: nobody was told of it.
    Agree(Intent),
    /// Its names are to say what the facts say: its client was told that it is refused, or others were told of the same
    /// names meanwhile.
    Undo(Intent),
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
