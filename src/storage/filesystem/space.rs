//! The guard that keeps some of the disk free: the metadata on the same disk must never meet a full one.
//! Knows the disk's free bytes only; who must ask is for the callers (writes do, reads and removals do not).

use crate::storage::error::{Error, Result};
use rustix::fd::BorrowedFd;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long an answer of the disk is believed.
const FRESH: Duration = Duration::from_millis(200);
/// How many bytes are let in on one answer.
const BYTES_ON_TRUST: u64 = 16 << 20;

/// Counts free bytes without asking the disk each time.
pub struct Space {
    free_bytes_min: u64,
    last: Mutex<Option<Answer>>,
}

struct Answer {
    at: Instant,
    free: u64,
    taken: u64,
}

impl Space {
    /// A guard that leaves `free_bytes_min` bytes free; 0 guards nothing.
    pub fn new(free_bytes_min: u64) -> Self {
        Self { free_bytes_min, last: Mutex::new(None) }
    }

    /// Lets `bytes` more in, or says that the disk is full. A disk that does not answer stops nothing: the
    /// write itself will tell.
    pub fn admit(&self, disk: BorrowedFd<'_>, bytes: u64) -> Result<()> {
        if self.free_bytes_min == 0 {
            return Ok(());
        }
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = last.as_mut()
            && known.taken + bytes <= BYTES_ON_TRUST
            && known.at.elapsed() < FRESH
            && self.admits(known, bytes)
        {
            return Ok(());
        }
        // Nobody is refused on an old answer: there may be room again.
        let Ok(told) = rustix::fs::fstatvfs(disk) else { return Ok(()) };
        let free = told.f_bavail.saturating_mul(told.f_frsize);
        let answer = last.insert(Answer { at: Instant::now(), free, taken: 0 });
        if self.admits(answer, bytes) { Ok(()) } else { Err(Error::Full) }
    }

    fn admits(&self, answer: &mut Answer, bytes: u64) -> bool {
        let admitted = answer.free.saturating_sub(answer.taken + bytes) >= self.free_bytes_min;
        if admitted {
            answer.taken += bytes;
        }
        admitted
    }
}
