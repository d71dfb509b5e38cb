//! This process, as the others know it: a row with a lease that is renewed while it lives. Whoever finds the lease ended
//! takes the process for dead, takes over what it had under its hands, and removes the row; a process that finds its row
//! gone registers under a new id, and what it had begun under the old one is not its own any more.

use crate::metadata::error::Result;
use crate::metadata::postgres::columns::answer;
use crate::metadata::postgres::connections::Connections;
use crate::metadata::postgres::statement::Statement;
use rustix::time::{ClockId, clock_gettime};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use uuid::Uuid;

/// This process among those that share the metadata.
pub struct Replica {
    connections: Arc<Connections>,
    term: Duration,
    now: Mutex<Incarnation>,
    // One beat at a time, so that nobody registers twice.
    beating: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Incarnation {
    id: Uuid,
    // By our own clock, and before the lease ends by the server's.
    until: Duration,
}

/// Time since the machine was started, also while it slept: a process that was suspended sees how long.
fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0))
}

impl Replica {
    /// Registers the process, and keeps its lease of `term` for as long as the answer lives.
    pub async fn register(connections: Arc<Connections>, term: Duration) -> Result<Arc<Self>> {
        let incarnation = Incarnation { id: Uuid::new_v4(), until: Duration::ZERO };
        let (now, beating) = (Mutex::new(incarnation), tokio::sync::Mutex::new(()));
        let replica = Arc::new(Self { connections, term, now, beating });
        replica.join(incarnation.id).await?;
        keep_beating(Arc::downgrade(&replica), term);
        Ok(replica)
    }

    /// How long its lease lasts.
    pub fn term(&self) -> Duration {
        self.term
    }

    fn incarnation(&self) -> Incarnation {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As whom it begins what it begins now.
    pub fn id(&self) -> Uuid {
        self.incarnation().id
    }

    /// Whether the others cannot have taken it for dead.
    pub fn is_alive(&self) -> bool {
        since_boot() < self.incarnation().until
    }

    /// Renews the lease, or registers anew where others have taken this process for dead.
    pub async fn beat(&self) -> Result<()> {
        let _alone = self.beating.lock().await;
        let id = self.id();
        if self.renew(id, false).await? {
            return Ok(());
        }
        tracing::warn!("other replicas took this one for dead; it goes on, but not with what it had begun");
        self.join(Uuid::new_v4()).await
    }

    async fn join(&self, id: Uuid) -> Result<()> {
        self.renew(id, true).await.map(|_| ())
    }

    async fn renew(&self, id: Uuid, join: bool) -> Result<bool> {
        let asked = since_boot();
        let millis = i64::try_from(self.term.as_millis()).unwrap_or(i64::MAX);
        let beat = Statement::new("SELECT holdfast.beat($1, $2, $3)").bind(id).bind(millis).bind(join);
        let stands = answer(&self.connections.write(beat).await?)?;
        if stands {
            // A fifth earlier than the server thinks: whoever acts on it still has that long.
            let until = asked + self.term * 4 / 5;
            *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Incarnation { id, until };
        }
        Ok(stands)
    }
}

/// Renews the lease until nobody holds the replica any more.
#[allow(clippy::disallowed_methods)] // one of the few homes of tasks
fn keep_beating(replica: Weak<Replica>, term: Duration) {
    tokio::spawn(async move {
        let (usual, soon) = (term * 3 / 10, term / 20);
        let mut wait = usual;
        loop {
            tokio::time::sleep(wait).await;
            let Some(replica) = replica.upgrade() else { return };
            wait = match replica.beat().await {
                Ok(()) => usual,
                Err(error) => {
                    tracing::warn!(%error, "the lease of this replica was not renewed");
                    soon
                }
            };
        }
    });
}
