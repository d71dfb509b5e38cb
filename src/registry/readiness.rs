//! Whether the metadata tells all that storage holds. While it does not, "absent" would be a lie, so the
//! doors answer nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The state of the metadata since the start.
#[derive(Debug, Default)]
pub struct Readiness {
    ready: AtomicBool,
    failed: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

/// What `/readyz` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All requests are answered.
    Ready,
    /// The metadata is being made from storage.
    Rebuilding {
        /// Repositories done.
        done: u64,
        /// Repositories found.
        total: u64,
    },
    /// That failed; the log says why.
    Failed,
}

impl Readiness {
    /// Whether requests are answered.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Requests are answered from now on.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// The metadata could not be made.
    pub fn set_failed(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// So many repositories were found.
    pub fn found(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    /// One more repository is done; answers how many are.
    pub fn advance(&self) -> u64 {
        self.done.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The state now.
    pub fn state(&self) -> State {
        if self.is_ready() {
            State::Ready
        } else if self.failed.load(Ordering::Acquire) {
            State::Failed
        } else {
            State::Rebuilding {
                done: self.done.load(Ordering::Relaxed),
                total: self.total.load(Ordering::Relaxed),
            }
        }
    }
}
