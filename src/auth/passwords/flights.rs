//! Equal work that is asked for at once is done once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;

/// Names a piece of work.
pub type Key = [u8; 32];

/// The work that is under way.
pub struct Flights<V> {
    cells: Mutex<HashMap<Key, Arc<OnceCell<V>>>>,
}

impl<V> Default for Flights<V> {
    fn default() -> Self {
        Self { cells: Mutex::default() }
    }
}

impl<V: Clone> Flights<V> {
    /// Does the work, or waits for who is doing it. If that one is dropped in the middle, the next takes over.
    pub async fn join(&self, key: Key, work: impl Future<Output = V>) -> V {
        let seat = Seat::take(self, key);
        match &seat.cell {
            Some(cell) => cell.get_or_init(|| work).await.clone(),
            None => work.await, // a seat has its cell until it is dropped
        }
    }
}

impl<V> Flights<V> {
    fn cells(&self) -> MutexGuard<'_, HashMap<Key, Arc<OnceCell<V>>>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who does or waits; the last one to leave takes the cell away.
struct Seat<'a, V> {
    flights: &'a Flights<V>,
    key: Key,
    cell: Option<Arc<OnceCell<V>>>,
}

impl<'a, V> Seat<'a, V> {
    fn take(flights: &'a Flights<V>, key: Key) -> Self {
        let cell = Arc::clone(flights.cells().entry(key).or_insert_with(|| Arc::new(OnceCell::new())));
        Self { flights, key, cell: Some(cell) }
    }
}

impl<V> Drop for Seat<'_, V> {
    fn drop(&mut self) {
        let mut cells = self.flights.cells();
        // Under the lock, so that two who leave at once do not both leave it to the other.
        drop(self.cell.take());
        if cells.get(&self.key).is_some_and(|cell| Arc::strong_count(cell) == 1) {
            cells.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn equal_work_is_done_once_and_other_work_beside_it() {
        let (flights, done, gate) = (Flights::default(), AtomicUsize::new(0), Semaphore::new(0));
        let work = |key: u8| {
            let (flights, done, gate) = (&flights, &done, &gate);
            async move {
                let work = async {
                    drop(gate.acquire().await);
                    done.fetch_add(1, Ordering::Relaxed)
                };
                flights.join([key; 32], work).await
            }
        };
        let all = join_all((0..100u8).map(|n| work(n % 2)));
        let open = async { gate.add_permits(2) };
        let (answers, ()) = tokio::join!(all, open);
        assert_eq!(done.load(Ordering::Relaxed), 2);
        assert!(answers.iter().step_by(2).all(|answer| *answer == answers[0]));
        assert!(flights.cells().is_empty(), "nothing is left behind");
    }

    #[tokio::test]
    async fn when_the_one_who_works_goes_away_the_next_takes_over() {
        let flights = Flights::default();
        let mut first = Box::pin(flights.join([0; 32], std::future::pending::<u8>()));
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut second = Box::pin(flights.join([0; 32], async { 7 }));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(second.await, 7);
        assert!(flights.cells().is_empty());
    }

    #[tokio::test]
    async fn nothing_is_remembered() {
        let flights = Flights::default();
        assert_eq!(flights.join([0; 32], async { 1 }).await, 1);
        assert_eq!(flights.join([0; 32], async { 2 }).await, 2);
    }
}
