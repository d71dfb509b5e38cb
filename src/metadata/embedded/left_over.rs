//! What the last run has left under way: the keys of its intents, and of its changes of records. What this run begins is
//! never among them, however long it takes: only the next one may settle it.

use crate::metadata::embedded::engine::Engine;
use crate::metadata::embedded::keys;
use crate::metadata::error::Result;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The keys of rows that stood when the database was opened, and may stand still. There are as many as operations were
/// under way.
pub struct LeftOver {
    intents: Mutex<Vec<Vec<u8>>>,
    records: Mutex<Vec<Vec<u8>>>,
}

impl LeftOver {
    /// What stands in a database that nobody has written to yet.
    pub fn of(engine: &dyn Engine) -> Result<Self> {
        let keys = |prefix: &[u8]| {
            let mut found = Vec::new();
            engine.scan(prefix, &keys::after(prefix), &mut |key, _| {
                found.push(key.to_vec());
                ControlFlow::Continue(())
            })?;
            Ok(Mutex::new(found))
        };
        Ok(Self { intents: keys(keys::INTENTS)?, records: keys(keys::PENDING)? })
    }

    /// Of the intents, each once it was looked at: `stands` answers what is told of one, or `None` if it has ended. At
    /// most `count` are told.
    pub fn intents<T>(&self, count: usize, stands: impl Fn(&[u8]) -> Result<Option<T>>) -> Result<Vec<T>> {
        told(&self.intents, count, stands)
    }

    /// Likewise of changes of records.
    pub fn records<T>(&self, count: usize, stands: impl Fn(&[u8]) -> Result<Option<T>>) -> Result<Vec<T>> {
        told(&self.records, count, stands)
    }
}

fn told<T>(
    keys: &Mutex<Vec<Vec<u8>>>,
    count: usize,
    stands: impl Fn(&[u8]) -> Result<Option<T>>,
) -> Result<Vec<T>> {
    let mut keys: MutexGuard<'_, _> = keys.lock().unwrap_or_else(PoisonError::into_inner);
    let mut told = Vec::new();
    let mut at = 0;
    while at < keys.len() && told.len() < count {
        match stands(&keys[at])? {
            Some(one) => {
                told.push(one);
                at += 1;
            }
            None => drop(keys.swap_remove(at)),
        }
    }
    Ok(told)
}
