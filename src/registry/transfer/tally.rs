//! How far a move is. Counted as it goes, and looked at by whoever shows it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Most things that are told one by one; all are counted.
pub const TOLD_MAX: usize = 10_000;

/// Counters that only rise.
#[derive(Debug, Default)]
pub struct Tally {
    /// Blobs that were looked at and are in the target now.
    pub blobs: Count,
    /// Their bytes.
    pub bytes: Count,
    /// Of those, the blobs that were copied by this run.
    pub blobs_copied: Count,
    /// Bytes that were copied by this run.
    pub bytes_copied: Count,
    /// Names that were written, or removed, in the target by this run.
    pub names: Count,
    /// Records that were written, or removed, in the target by this run.
    pub records: Count,
    /// Repositories that were looked at in this round.
    pub repositories: Count,
    /// What the source was found to hold.
    pub total: Totals,
    /// What has no place in the layout, or leads nowhere. It is left behind.
    pub odd: Told,
    /// What is damaged in the source, so that it could not be carried.
    pub lost: Told,
}

/// What the source held when it was looked at first.
#[derive(Debug, Default)]
pub struct Totals {
    /// Repositories.
    pub repositories: Count,
    /// Blobs, each once.
    pub blobs: Count,
    /// Their bytes.
    pub bytes: Count,
}

/// A number.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds to it.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Takes away what was counted too early.
    pub fn take_back(&self, less: u64) {
        self.0.fetch_sub(less, Ordering::Relaxed);
    }

    /// Begins anew.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// What it is.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Things that are to be told, each once: where, and what is wrong.
#[derive(Debug, Default)]
pub struct Told(Mutex<(BTreeMap<String, String>, u64)>);

impl Told {
    /// Tells of one more.
    pub fn tell(&self, at: impl Into<String>, why: impl Into<String>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = at.into();
        if told.0.contains_key(&at) {
            return;
        }
        if told.0.len() < TOLD_MAX {
            told.0.insert(at, why.into());
        } else {
            told.1 += 1;
        }
    }

    /// All of them, and how many more there were that are not kept.
    pub fn all(&self) -> (Vec<(String, String)>, u64) {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (told.0.iter().map(|(at, why)| (at.clone(), why.clone())).collect(), told.1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.is_empty()
    }

    /// Forgets all: what is still so will be met again.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (BTreeMap::new(), 0);
    }
}
