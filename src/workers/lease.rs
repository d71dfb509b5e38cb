//! Work that one process does for all that share the metadata.
//!
//! Whoever has stood still for too long may not have it any more, though nobody has said so: before each step that takes
//! something away it is asked of two clocks how long ago the lease was renewed.

use crate::clock::Clock;
use crate::metadata::leases::Leases;
use crate::metadata::open::Metadata;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

/// A piece of work.
pub struct Lease {
    leases: Arc<dyn Leases>,
    clock: Arc<dyn Clock>,
    work: &'static str,
    /// How long others wait for a holder that says nothing more.
    term: Duration,
    began: Instant,
    // Of both clocks, when it was last renewed, in milliseconds; 0: never.
    renewed: AtomicU64,
    renewed_by_the_wall: AtomicU64,
}

impl Lease {
    /// Nobody has it yet. `term`: how long others wait for a holder that says nothing more; longer than the pauses
    /// between two rounds of the work, or all do it in turn.
    pub fn new(metadata: &Metadata, clock: &Arc<dyn Clock>, work: &'static str, term: Duration) -> Self {
        let (leases, clock) = (Arc::clone(&metadata.leases), Arc::clone(clock));
        // So that 0 is long ago from the first moment on.
        let began = Instant::now();
        Self {
            leases,
            clock,
            work,
            term,
            began,
            renewed: AtomicU64::new(0),
            renewed_by_the_wall: AtomicU64::new(0),
        }
    }

    /// Whether this process has the work, or takes it now.
    pub async fn take(&self) -> bool {
        if self.age() < self.term / 4 {
            return true;
        }
        // Before it is asked for: the term counts from when it is granted, which is later.
        let (steady, wall) = self.now();
        match self.leases.take(self.work, self.term).await {
            Ok(true) => {
                self.renewed_by_the_wall.store(wall, Ordering::Relaxed);
                self.renewed.store(steady, Ordering::Release);
                true
            }
            Ok(false) => {
                self.renewed.store(0, Ordering::Release);
                false
            }
            Err(error) => {
                tracing::warn!(%error, work = self.work, "a lease could not be taken; the work waits");
                false
            }
        }
    }

    /// Whether it may still be acted upon. Asks nobody.
    pub fn holds(&self) -> bool {
        // Not to its very end: what is begun now should be over by then.
        self.age() < self.term * 2 / 3
    }

    /// Does the work as long as the lease holds, and renews it meanwhile. `None`: it was lost, and the work broken off.
    pub async fn under<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let renew = async {
            loop {
                tokio::time::sleep(self.term / 4).await;
                self.take().await;
            }
        };
        let (mut work, mut renew) = (pin!(work), pin!(renew));
        poll_fn(|context| {
            // Before each step, since time may have gone by that no timer has noticed yet.
            if !self.holds() {
                return Poll::Ready(None);
            }
            let Poll::Pending = renew.as_mut().poll(context);
            work.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// Gives it back, so that nobody has to wait for its end.
    pub async fn give_back(&self) {
        if self.renewed.swap(0, Ordering::AcqRel) == 0 {
            return;
        }
        if let Err(error) = self.leases.give_back(self.work).await {
            tracing::debug!(%error, work = self.work, "a lease could not be given back; it ends by itself");
        }
    }

    /// Time since it was renewed, by the clock that says more: the steady one may stand still while the machine sleeps,
    /// the other one may be set.
    fn age(&self) -> Duration {
        let renewed = self.renewed.load(Ordering::Acquire);
        if renewed == 0 {
            return Duration::MAX;
        }
        let (steady, wall) = self.now();
        let by_the_wall = wall.abs_diff(self.renewed_by_the_wall.load(Ordering::Relaxed));
        Duration::from_millis(steady.saturating_sub(renewed).max(by_the_wall))
    }

    fn now(&self) -> (u64, u64) {
        let steady = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        (steady + 1, self.clock.unix_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FixedClock;
    use crate::metadata::error::{Error, Result};
    use std::sync::Mutex;

    /// Who has it; `None`: it does not answer.
    struct Fake(Mutex<Option<&'static str>>);

    #[async_trait::async_trait]
    impl Leases for Fake {
        async fn take(&self, _: &str, _: Duration) -> Result<bool> {
            match *self.0.lock().unwrap() {
                None => Err(Error::Unreachable("made up".into())),
                Some(holder) => Ok(holder != "another"),
            }
        }

        async fn give_back(&self, _: &str) -> Result<()> {
            *self.0.lock().unwrap() = Some("nobody");
            Ok(())
        }
    }

    #[tokio::test]
    async fn who_stood_still_does_not_act() {
        let fake = Arc::new(Fake(Mutex::new(Some("us"))));
        let clock = Arc::new(FixedClock::at(1_000));
        let lease = Lease {
            leases: Arc::clone(&fake) as _,
            clock: Arc::clone(&clock) as _,
            work: "purge",
            term: Duration::from_secs(30),
            began: Instant::now(),
            renewed: AtomicU64::new(0),
            renewed_by_the_wall: AtomicU64::new(0),
        };
        assert!(!lease.holds());
        assert!(lease.take().await && lease.holds());
        // Another one has it, and nobody has told us.
        *fake.0.lock().unwrap() = Some("another");
        assert!(lease.take().await, "it was renewed a moment ago");
        clock.advance(19);
        assert!(lease.holds());
        clock.advance(1);
        assert!(!lease.holds(), "its term is nearly over");
        assert!(!lease.take().await && !lease.holds());
        *fake.0.lock().unwrap() = None;
        assert!(!lease.take().await && !lease.holds());
        *fake.0.lock().unwrap() = Some("us");
        assert!(lease.take().await && lease.holds());
        lease.give_back().await;
        assert!(!lease.holds());
        assert_eq!(*fake.0.lock().unwrap(), Some("nobody"));
    }
}
