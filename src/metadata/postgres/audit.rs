//! The audit trail in PostgreSQL, one for all replicas.

use crate::metadata::audit::{Audit, EVENT_BYTES_MAX, Entry};
use crate::metadata::error::Result;
use crate::metadata::postgres::columns::{answer, column, count, number, unsigned};
use crate::metadata::postgres::database::Database;
use crate::metadata::postgres::statement::Statement;
use sqlx::postgres::PgRow;

/// So many events are written with one statement, and dropped with one.
const AT_ONCE: usize = 1000;

/// The newest events before one.
pub const NEWEST: &str =
    "SELECT id, unix_millis, event FROM holdfast.events WHERE id < $1 ORDER BY id DESC LIMIT $2";

#[async_trait::async_trait]
impl Audit for Database {
    async fn append(&self, events: Vec<(u64, String)>) -> Result<()> {
        for events in events.chunks(AT_ONCE) {
            let (times, texts): (Vec<i64>, Vec<String>) =
                events.iter().map(|(at, json)| (number(*at), kept(json))).unzip();
            let append = Statement::new("SELECT holdfast.append_events($1, $2)").bind(times).bind(texts);
            self.write(append).await?;
        }
        Ok(())
    }

    async fn newest(&self, before: Option<u64>, count_max: usize) -> Result<Vec<Entry>> {
        let asked = Statement::new(NEWEST).bind(number(before.unwrap_or(u64::MAX))).bind(count(count_max));
        self.read(asked).await?.iter().map(read).collect()
    }

    async fn trim(&self, unix_millis: u64, count_max: u64) -> Result<bool> {
        let trim = Statement::new("SELECT holdfast.trim_events($1, $2, $3)")
            .bind(number(unix_millis))
            .bind(number(count_max))
            .bind(count(AT_ONCE));
        answer(&self.write(trim).await?)
    }
}

/// What is kept of an event.
fn kept(json: &str) -> String {
    match json.len() {
        0..=EVENT_BYTES_MAX => json.to_owned(),
        bytes => format!("{{\"omitted_bytes\":{bytes}}}"),
    }
}

fn read(row: &PgRow) -> Result<Entry> {
    Ok(Entry {
        id: unsigned(column(row, "id")?),
        unix_millis: unsigned(column(row, "unix_millis")?),
        json: column(row, "event")?,
    })
}
