//! Who speaks to the server next, and through which connection. One whose conversation came to its end stays at hand for
//! the next who asks. The pool only makes connections, and none comes back to it: it would ask the server for a sign of
//! life then, a round trip and a task more for each statement, and without any limit of time.
//!
//! Whoever has a turn and finds nothing at hand can make a connection at once: those at hand and those lent are never more
//! than there are turns, and what is closed makes room in the pool before its turn ends.

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgListener, PgPool};
use sqlx::{Connection, Error, Postgres, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long what may take, and stay.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// So long somebody waits for a connection.
    pub patience: Duration,
    /// A connection that was not used for so long is asked for a sign of life first.
    pub fresh: Duration,
    /// One that was not used for so long is closed, when another one comes back.
    pub unused: Duration,
    /// One that is so old is closed when it comes back: a server's process grows with what it was asked.
    pub old: Duration,
}

impl Times {
    /// Those of a server that answers, for who waits so long.
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            fresh: Duration::from_secs(5),
            unused: Duration::from_mins(5),
            old: Duration::from_mins(30),
        }
    }
}

/// Connections, and turns at them.
pub struct Lending {
    pool: PgPool,
    turns: Arc<Semaphore>,
    kept: Arc<Kept>,
    times: Times,
}

impl Lending {
    /// Lends so many connections at once, at least one, of a pool that may make so many, and one more for who listens.
    pub fn new(pool: PgPool, at_once: u32, times: Times) -> Self {
        let turns = Arc::new(Semaphore::new(at_once.max(1) as usize));
        Self { pool, turns, kept: Arc::default(), times }
    }

    /// A connection of its own for the one who listens.
    pub async fn listener(&self) -> Result<PgListener> {
        PgListener::connect_with(&self.pool).await
    }

    /// A connection, as soon as it is this caller's turn. `Error::PoolTimedOut` if that does not come in time; else why
    /// none could be made.
    pub async fn lend(&self) -> Result<Lent> {
        let lent = async {
            let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Error::PoolClosed)?;
            let round = self.kept.state().round;
            let mut turn = Some(turn);
            while let Some(Idle { connection, made, used }) = self.kept.take() {
                let mut lent = self.lent(connection, made, round, turn.take());
                if used.elapsed() <= self.times.fresh || self.lives(&mut lent).await {
                    return Ok(lent);
                }
                // There is time for another one.
                lent.ended = Ended::Broken;
                turn = lent.turn.take();
            }
            Ok(self.lent(self.pool.acquire().await?, Instant::now(), round, turn))
        };
        tokio::time::timeout(self.times.patience, lent).await.unwrap_or(Err(Error::PoolTimedOut))
    }

    fn lent(
        &self,
        connection: PoolConnection<Postgres>,
        made: Instant,
        round: u64,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Lent {
        let (kept, times) = (Arc::clone(&self.kept), self.times);
        Lent { connection: Some(connection), made, round, ended: Ended::Open, kept, times, turn }
    }

    async fn lives(&self, lent: &mut Lent) -> bool {
        let Ok(connection) = lent.connection() else { return false };
        let asked = tokio::time::timeout(self.times.patience / 4, connection.ping()).await;
        asked.is_ok_and(|answer| answer.is_ok())
    }

    /// How many connections there are.
    #[cfg(test)]
    pub fn count(&self) -> u32 {
        self.pool.size()
    }

    /// All turns, so that nobody has one.
    #[cfg(test)]
    pub async fn all(&self, turns: u32) -> OwnedSemaphorePermit {
        Arc::clone(&self.turns).acquire_many_owned(turns).await.unwrap()
    }

    /// Closes all connections, as soon as nobody has one, and lends none any more.
    #[cfg(test)]
    pub async fn close(&self, turns: u32) {
        let _all = self.all(turns).await;
        self.turns.close();
        self.kept.flush();
        self.pool.close().await;
    }
}

/// How a conversation came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It did not, as far as anybody knows: the connection is of no use to the next one.
    Open,
    /// With an answer, or with an error that leaves the connection as it was.
    Well,
    /// The server, or the way to it, is gone: the other connections may be of no use either.
    Broken,
}

/// A connection of somebody who has a turn. It is closed unless somebody says that its conversation has ended well.
pub struct Lent {
    connection: Option<PoolConnection<Postgres>>,
    made: Instant,
    /// The round of `Kept` in which it was lent.
    round: u64,
    /// How the conversation ended.
    pub ended: Ended,
    kept: Arc<Kept>,
    times: Times,
    turn: Option<OwnedSemaphorePermit>,
}

impl Lent {
    /// The connection itself.
    pub fn connection(&mut self) -> Result<&mut PgConnection> {
        self.connection.as_deref_mut().ok_or(Error::PoolClosed)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if self.ended == Ended::Broken {
            self.kept.flush();
        }
        if self.ended == Ended::Well && self.made.elapsed() < self.times.old {
            let idle = Idle { connection, made: self.made, used: Instant::now() };
            self.kept.keep(idle, self.round, self.times.unused);
        } else {
            close(connection);
        }
    }
}

/// Closes a connection, here and now: no task, no word to the server, which sees that nobody is there any more.
fn close(connection: PoolConnection<Postgres>) {
    drop(connection.detach());
}

/// A connection that nobody uses now.
struct Idle {
    connection: PoolConnection<Postgres>,
    made: Instant,
    used: Instant,
}

/// Connections at hand.
#[derive(Default)]
struct Kept(Mutex<State>);

#[derive(Default)]
struct State {
    /// How often all were closed. A connection that was lent before that is not kept any more.
    round: u64,
    /// The one that was used last is at the end, and lent first.
    idle: Vec<Idle>,
}

impl Kept {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Idle> {
        self.state().idle.pop()
    }

    /// Keeps a connection that was lent in that round, and none any longer that was not used for so long.
    fn keep(&self, idle: Idle, round: u64, unused: Duration) {
        let mut state = self.state();
        if state.round != round {
            return close(idle.connection);
        }
        state.idle.push(idle);
        let old = state.idle.iter().take_while(|idle| idle.used.elapsed() >= unused).count();
        state.idle.drain(..old).for_each(|idle| close(idle.connection));
    }

    /// Closes all.
    fn flush(&self) {
        let mut state = self.state();
        state.round += 1;
        state.idle.drain(..).for_each(|idle| close(idle.connection));
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.flush();
    }
}
