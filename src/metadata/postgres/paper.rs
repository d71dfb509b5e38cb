//! News from other replicas: rows of `record_changes`, in the order of their commits. The server wakes whoever listens;
//! where that does not come through, each half second is as good.

use crate::metadata::error::Result;
use crate::metadata::news::News;
use crate::metadata::postgres::columns::{column, damaged, shelf_and_name};
use crate::metadata::postgres::connections::Connections;
use crate::metadata::postgres::statement::Statement;
use sqlx::postgres::PgListener;
use std::time::Duration;
use uuid::Uuid;

/// How long nobody looks where nobody was woken.
const POLL: Duration = Duration::from_millis(500);

/// So many changes are read at once.
const AT_ONCE: i64 = 1000;

/// The next changes; one row without a number if there are none.
pub const NEXT: &str = "SELECT last_change, changes_trimmed, number, shelf, name, process FROM holdfast.registry \
    LEFT JOIN LATERAL (SELECT number, shelf, name, process FROM holdfast.record_changes WHERE number > $1 \
        ORDER BY number LIMIT $2) AS changes ON true ORDER BY number";

/// Up to where changes were read, and who wakes us.
pub struct Paper {
    last: i64,
    // Nothing was left to be read; so we wait before we look again.
    at_the_end: bool,
    listener: Option<PgListener>,
}

impl Paper {
    /// Whoever has read up to `last`.
    pub fn from(last: i64) -> Self {
        Self { last, at_the_end: false, listener: None }
    }

    /// Up to where it was read.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Waits until somebody wakes us, or for a moment, and reads on: what others did.
    pub async fn next(&mut self, connections: &Connections, process: Uuid) -> Result<News> {
        if self.at_the_end {
            self.wait(connections).await;
        }
        let news = self.read(connections, process).await?;
        self.at_the_end = news == News::Nothing;
        Ok(news)
    }

    /// Reads on, without waiting.
    pub async fn read(&mut self, connections: &Connections, process: Uuid) -> Result<News> {
        let rows = connections.read(Statement::new(NEXT).bind(self.last).bind(AT_ONCE)).await?;
        let first = rows.first().ok_or_else(|| damaged("singleton"))?;
        let newest: i64 = column(first, "last_change")?;
        // Dropped before we came to it; or this is an older state of the database, from a backup.
        if column::<i64>(first, "changes_trimmed")? > self.last || newest < self.last {
            self.last = newest;
            return Ok(News::Anything);
        }
        let mut records = Vec::new();
        let mut last = self.last;
        for row in &rows {
            let Some(number) = column(row, "number")? else { break };
            last = number;
            if column::<Uuid>(row, "process")? != process
                && let Some(named) = shelf_and_name(row)?
                && !records.contains(&named)
            {
                records.push(named);
            }
        }
        self.last = last;
        Ok(if records.is_empty() { News::Nothing } else { News::Records(records) })
    }

    async fn wait(&mut self, connections: &Connections) {
        let woken = async {
            let listener = match &mut self.listener {
                Some(listener) => listener,
                none => {
                    let mut listener = connections.listener().await?;
                    listener.listen("holdfast").await?;
                    none.insert(listener)
                }
            };
            // A connection that was lost is seen as such: what came meanwhile is read, not waited for.
            listener.eager_reconnect(false);
            listener.try_recv().await.map(|woken| woken.is_some())
        };
        match tokio::time::timeout(POLL, woken).await {
            Err(_) | Ok(Ok(true)) => {}
            Ok(Ok(false) | Err(_)) => {
                self.listener = None;
                tokio::time::sleep(POLL / 2).await;
            }
        }
    }
}
