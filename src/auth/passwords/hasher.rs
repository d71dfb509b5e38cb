//! The one place where passwords are hashed: on threads of their own, a few at a time, with bounded memory, and for
//! a bounded number of callers who wait for a bounded time.

use crate::auth::error::{Error, Result};
use crate::auth::passwords::hash::{MEMORY_KIB_MAX, OURS};
use argon2::Block;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All memory that hashing takes at once; a single hash may ask for `MEMORY_KIB_MAX`.
const MEMORY_KIB_ALL: u32 = 192 << 10;
const _: () = assert!(MEMORY_KIB_MAX <= MEMORY_KIB_ALL);
/// Most callers that wait.
const WAITING_MAX: usize = 256;
/// Longest wait. Clients give up after 15 seconds.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// When whoever was turned away should come back.
const RETRY_SECS: u64 = 5;

/// Hashes, a few at a time.
pub struct Hasher {
    turns: Arc<Semaphore>,
    memory_kib: Arc<Semaphore>,
    waiting: AtomicUsize,
    runs: AtomicUsize,
    scratch: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Hasher {
    /// One that does so many at once.
    pub fn new(at_once: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(at_once.max(1))),
            memory_kib: Arc::new(Semaphore::new(MEMORY_KIB_ALL as usize)),
            waiting: AtomicUsize::new(0),
            runs: AtomicUsize::new(0),
            scratch: Arc::default(),
        }
    }

    /// Works on a thread of its own when it is its turn, with scratch memory, of which it says how much it takes.
    /// `Busy` if too many wait, or if the turn does not come in time. Work that has begun is ended even if the
    /// caller goes away: its turn is over only then.
    pub async fn run<T, W>(&self, memory_kib: u32, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    {
        let held = {
            let _place = Place::take(&self.waiting)?;
            let turn = tokio::time::timeout(WAIT_MAX, self.turn(memory_kib)).await;
            turn.map_err(|_| Error::Busy(RETRY_SECS))??
        };
        self.runs.fetch_add(1, Ordering::Relaxed);
        let scratch = Arc::clone(&self.scratch);
        let ended = tokio::task::spawn_blocking(move || {
            let _held = held;
            let mut memory = scratch.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
            let answer = work(&mut memory);
            // Kept, not freed: giving 19 MiB back and faulting them in anew costs a third of a hash, and would teach
            // glibc to hold on to as much in each of its arenas (app/memory.rs). There are as many as turns.
            if memory.len() <= OURS.memory_kib() as usize {
                scratch.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
            }
            answer
        });
        ended.await.map_err(|_| Error::Key("hashing a password failed".into()))
    }

    /// How often work was done so far.
    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    async fn turn(&self, memory_kib: u32) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let busy = |_| Error::Busy(RETRY_SECS);
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(busy)?;
        let memory_kib = memory_kib.min(MEMORY_KIB_ALL);
        let memory = Arc::clone(&self.memory_kib).acquire_many_owned(memory_kib).await.map_err(busy)?;
        Ok((turn, memory))
    }
}

/// A place among those who wait.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self> {
        let place = Self(waiting);
        // Counted first: one that finds no place gives it back as it is dropped.
        if waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            Err(Error::Busy(RETRY_SECS))
        } else {
            Ok(place)
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::sync::mpsc;

    #[tokio::test]
    async fn no_more_than_so_many_work_at_once() {
        let (hasher, now, most) =
            (Hasher::new(2), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = |_: usize| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            hasher.run(1, move |_| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
            })
        };
        assert!(join_all((0..WAITING_MAX).map(work)).await.iter().all(Result::is_ok));
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
        assert_eq!(hasher.runs(), WAITING_MAX);
        assert_eq!(hasher.waiting.load(Ordering::Relaxed), 0);
        assert!(hasher.scratch.lock().unwrap().len() <= 2, "scratch memory is used again");
    }

    #[tokio::test]
    async fn memory_is_bounded_however_many_may_work() {
        let (hasher, now, most) =
            (Hasher::new(64), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = |_: usize| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            hasher.run(MEMORY_KIB_MAX / 2, move |_| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
            })
        };
        join_all((0..64).map(work)).await;
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_to_come_back() {
        let hasher = Hasher::new(1);
        let (release, gate) = mpsc::channel::<()>();
        let mut first = Box::pin(hasher.run(1, move |_| gate.recv().is_ok()));
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut second = Box::pin(hasher.run(1, |_| ()));
        assert!(futures_util::poll!(&mut second).is_pending());
        tokio::time::advance(WAIT_MAX + Duration::from_millis(1)).await;
        assert!(matches!(second.await, Err(Error::Busy(1..=10))));
        release.send(()).unwrap();
        assert!(first.await.unwrap());
    }

    #[tokio::test]
    async fn a_full_queue_turns_away_at_once_and_empties() {
        let hasher = Hasher::new(1);
        let (release, gate) = mpsc::channel::<()>();
        let mut first = Box::pin(hasher.run(1, move |_| gate.recv().is_ok()));
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(hasher.run(1, |_| ()))).collect();
        for one in &mut waiting {
            assert!(futures_util::poll!(one).is_pending());
        }
        for _ in 0..3 {
            assert!(matches!(hasher.run(1, |_| ()).await, Err(Error::Busy(_))), "turned away");
        }
        waiting.pop();
        let mut next = Box::pin(hasher.run(1, |_| 5));
        assert!(futures_util::poll!(&mut next).is_pending(), "one who went away left a place");
        drop(waiting);
        release.send(()).unwrap();
        assert!(first.await.unwrap());
        assert_eq!(next.await.unwrap(), 5);
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_and_its_turn_is_over() {
        let hasher = Hasher::new(1);
        assert!(matches!(hasher.run(1, |_| panic!("odd")).await, Err::<(), _>(Error::Key(_))));
        assert_eq!(hasher.run(1, |_| 1).await.unwrap(), 1);
    }
}
