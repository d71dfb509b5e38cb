//! What a process has learned of a server's copies of parts: whether it makes them, and whether they are right.

use std::sync::atomic::{AtomicU8, Ordering};

const UNKNOWN: u8 = 0;
const PROVEN: u8 = 1;
const LOST: u8 = 2;

/// Trust in copies of parts, which is lost once and for all.
#[derive(Debug, Default)]
pub struct Trust(AtomicU8);

impl Trust {
    /// Whether copies may be asked for.
    pub fn may_copy_parts(&self) -> bool {
        self.0.load(Ordering::SeqCst) != LOST
    }

    /// Whether one was read back and found right.
    pub fn is_proven(&self) -> bool {
        self.0.load(Ordering::SeqCst) == PROVEN
    }

    /// One was read back and found right.
    pub fn proven(&self) {
        // What was lost meanwhile stays so.
        self.0.compare_exchange(UNKNOWN, PROVEN, Ordering::SeqCst, Ordering::SeqCst).ok();
    }

    /// The server makes none, or wrong ones.
    pub fn lost(&self) {
        self.0.store(LOST, Ordering::SeqCst);
    }
}
