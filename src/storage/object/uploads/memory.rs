//! Memory for bytes on their way, bounded for all uploads together. Whoever holds some and waits for a slow client
//! learns when somebody else needs it.

use crate::storage::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// So long anybody may hold memory without being asked for it.
const UNASKED: Duration = Duration::from_secs(1);

/// So long memory is waited for before the client is told to come back: longer than the bucket takes for many parts.
const PATIENCE: Duration = Duration::from_mins(2);

/// So many bytes of memory, given out in the order of asking.
pub struct Pool {
    permits: Arc<Semaphore>,
    bytes: u64,
    waiting: AtomicUsize,
    somebody_waits: Notify,
}

/// Bytes of memory that are held until this is dropped.
pub struct Room {
    /// How many.
    pub bytes: u64,
    since: Instant,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    /// A pool of so many bytes, at most 4 GiB.
    pub fn new(bytes: u64) -> Arc<Self> {
        let bytes = bytes.min(u64::from(u32::MAX));
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(bytes as usize)),
            bytes,
            waiting: AtomicUsize::new(0),
            somebody_waits: Notify::new(),
        })
    }

    /// Takes memory, as soon as it is this caller's turn; `Error::Unreachable` if that does not come for two minutes.
    /// More than there is at all counts as all.
    pub async fn take(self: &Arc<Self>, bytes: u64) -> Result<Room> {
        if let Some(room) = self.take_now(bytes) {
            return Ok(room);
        }
        let _waiting = Waiting::begin(self);
        let turn = Arc::clone(&self.permits).acquire_many_owned(self.clipped(bytes));
        let permit = tokio::time::timeout(PATIENCE, turn).await.map_err(|_| Error::Unreachable {
            what: "memory for uploads".into(),
            why: "all of it is taken, and none was given back for too long".into(),
        })?;
        // Nobody closes it.
        let permit = permit.map_err(|e| Error::at("memory for uploads", std::io::Error::other(e)))?;
        Ok(self.room(bytes, permit))
    }

    /// Takes memory if nobody has to be waited for.
    pub fn take_now(self: &Arc<Self>, bytes: u64) -> Option<Room> {
        let permit = Arc::clone(&self.permits).try_acquire_many_owned(self.clipped(bytes)).ok()?;
        Some(self.room(bytes, permit))
    }

    fn clipped(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.min(self.bytes)).unwrap_or(u32::MAX)
    }

    fn room(self: &Arc<Self>, bytes: u64, permit: OwnedSemaphorePermit) -> Room {
        Room { bytes, since: Instant::now(), pool: Arc::clone(self), _permit: permit }
    }
}

impl Room {
    /// Whether it is of this pool.
    pub fn is_of(&self, pool: &Arc<Pool>) -> bool {
        Arc::ptr_eq(&self.pool, pool)
    }

    /// Returns when this was held for a while and somebody waits for memory.
    pub async fn wanted(&self) {
        tokio::time::sleep_until(self.since + UNASKED).await;
        loop {
            let somebody_waits = self.pool.somebody_waits.notified();
            if self.pool.waiting.load(Ordering::SeqCst) > 0 {
                return;
            }
            somebody_waits.await;
        }
    }
}

/// Counts one who waits, until it is dropped.
struct Waiting<'a>(&'a Pool);

impl<'a> Waiting<'a> {
    fn begin(pool: &'a Pool) -> Self {
        pool.waiting.fetch_add(1, Ordering::SeqCst);
        pool.somebody_waits.notify_waiters();
        Self(pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Poll;

    #[tokio::test(start_paused = true)]
    async fn who_holds_memory_is_asked_only_when_somebody_waits() {
        let pool = Pool::new(100);
        let held = pool.take(80).await.unwrap();
        assert!(pool.take_now(21).is_none());
        let mut wanted = Box::pin(held.wanted());
        tokio::time::advance(UNASKED * 3).await;
        assert_eq!(futures_util::poll!(&mut wanted), Poll::Pending, "nobody waits");
        let mut waiting = Box::pin(pool.take(30));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        wanted.await;
        drop(waiting);
        let young = pool.take(20).await.unwrap();
        let mut waiting = Box::pin(pool.take(1));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert!(futures_util::poll!(Box::pin(young.wanted())).is_pending(), "it was only just taken");
        drop(held);
        assert_eq!(waiting.await.unwrap().bytes, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let pool = Pool::new(100);
        let held = pool.take(100).await.unwrap();
        let begun = Instant::now();
        assert!(matches!(pool.take(1).await, Err(Error::Unreachable { .. })));
        assert_eq!(begun.elapsed(), PATIENCE);
        assert_eq!(pool.waiting.load(Ordering::SeqCst), 0);
        drop(held);
        assert!(pool.take(100).await.is_ok(), "who has given up is in nobody's way");
    }

    #[tokio::test]
    async fn more_than_there_is_counts_as_all() {
        let pool = Pool::new(100);
        let all = pool.take(1000).await.unwrap();
        assert!(pool.take_now(1).is_none());
        drop(all);
        assert!(pool.take_now(1).is_some());
    }
}
