//! Who speaks to the server next, and through which connection. One whose conversation came to its end stays at hand for
//! the next who asks: the pool would ask the server for a sign of life whenever one comes back, a round trip and a task
//! more for each statement. Now and then each goes back to it all the same: the pool knows how old one may become.

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection, Error, Postgres, Result};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A connection that was not used for so long is asked for a sign of life first.
const FRESH: Duration = Duration::from_secs(5);
/// So long a connection stays at hand that nobody uses.
const UNUSED: Duration = Duration::from_mins(1);
/// So long a connection stays out of the pool at all.
const OUT: Duration = Duration::from_mins(5);

/// Connections, and turns at them.
pub struct Lending {
    pool: PgPool,
    turns: Arc<Semaphore>,
    kept: Arc<Kept>,
    patience: Duration,
}

impl Lending {
    /// Lends so many connections of a pool at once, at least one; whoever asks waits for it so long.
    pub fn new(pool: PgPool, at_once: u32, patience: Duration) -> Self {
        let turns = Arc::new(Semaphore::new(at_once.max(1) as usize));
        Self { pool, turns, kept: Arc::default(), patience }
    }

    /// The pool, for whoever listens.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection, as soon as it is this caller's turn. `Error::PoolTimedOut` if that does not come in time.
    pub async fn lend(&self) -> Result<Lent> {
        let lent = async {
            let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Error::PoolClosed)?;
            let mut turn = Some(turn);
            while let Some(Idle { connection, out, used }) = self.kept.take() {
                // From here on it is closed unless it answers, also if nobody waits for that any more.
                let mut lent = self.lent(connection, out, turn.take());
                if used.elapsed() <= FRESH || lent.ping().await.is_ok() {
                    return Ok(lent);
                }
                turn = lent.turn.take();
            }
            Ok(self.lent(self.pool.acquire().await?, Instant::now(), turn))
        };
        tokio::time::timeout(self.patience, lent).await.unwrap_or(Err(Error::PoolTimedOut))
    }

    fn lent(
        &self,
        connection: PoolConnection<Postgres>,
        out: Instant,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Lent {
        let kept = Arc::clone(&self.kept);
        Lent { connection: Some(connection), out, ended: Ended::Cut, kept, turn }
    }

    /// All turns, so that nobody has one.
    #[cfg(test)]
    pub async fn all(&self) -> OwnedSemaphorePermit {
        let all = self.turns.available_permits() as u32;
        Arc::clone(&self.turns).acquire_many_owned(all).await.unwrap()
    }

    /// Closes all connections, and lends none any more.
    #[cfg(test)]
    pub async fn close(&self) {
        self.turns.close();
        self.kept.lose();
        self.pool.close().await;
    }
}

/// How a conversation came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With an answer.
    Well,
    /// With an error that leaves the connection as it was.
    Refused,
    /// It did not: the connection is of no use to the next one.
    Cut,
}

/// A connection of somebody who has a turn. It is closed unless its conversation came to an end.
pub struct Lent {
    connection: Option<PoolConnection<Postgres>>,
    out: Instant,
    /// How the conversation ended; cut until somebody knows better.
    pub ended: Ended,
    kept: Arc<Kept>,
    turn: Option<OwnedSemaphorePermit>,
}

impl Lent {
    /// The connection itself.
    pub fn connection(&mut self) -> Result<&mut PgConnection> {
        self.connection.as_deref_mut().ok_or(Error::PoolClosed)
    }

    async fn ping(&mut self) -> Result<()> {
        self.connection()?.ping().await
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        match self.ended {
            Ended::Well if self.out.elapsed() < OUT => {
                self.kept.keep(Idle { connection, out: self.out, used: Instant::now() });
            }
            // To the pool, which looks at it.
            Ended::Well | Ended::Refused => {}
            Ended::Cut => {
                connection.close_on_drop();
                // What has cut off one may have cut off all.
                self.kept.give_back(Duration::ZERO);
            }
        }
    }
}

/// A connection that nobody uses now.
struct Idle {
    connection: PoolConnection<Postgres>,
    /// Since when it is out of the pool.
    out: Instant,
    /// When it was used last.
    used: Instant,
}

/// Connections at hand; the one that was used last is lent first.
#[derive(Default)]
struct Kept(Mutex<Vec<Idle>>);

impl Kept {
    fn take(&self) -> Option<Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, idle: Idle) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
        self.give_back(UNUSED);
    }

    /// Gives those back to the pool that were not used for so long.
    fn give_back(&self, unused: Duration) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = kept.iter().take_while(|idle| idle.used.elapsed() >= unused).count();
        kept.drain(..old);
    }

    /// Lets go of all, also where there are no tasks any more which the pool could give them to.
    fn lose(&self) {
        for idle in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            drop(idle.connection.detach());
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.lose();
    }
}
