//! The audit trail on an ordered key engine: a row for each event. Their numbers follow each other without a gap, so
//! that the newest are found and the oldest counted without reading what is between.

use crate::metadata::audit::{Audit, EVENT_BYTES_MAX, Entry};
use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::transaction::Transaction;
use crate::metadata::embedded::{keys, rows};
use crate::metadata::error::Result;
use std::ops::ControlFlow;

/// So many events are written in one transaction, and dropped in one.
const AT_ONCE: usize = 1000;

/// The number of the oldest event, and that of the next to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    first: u64,
    next: u64,
}

impl Ends {
    fn read(row: Option<&[u8]>) -> Result<Self> {
        let Some(row) = row else { return Ok(Self { first: 1, next: 1 }) };
        let read = |row: &[u8]| {
            let (first, next) = row.split_at_checked(size_of::<u64>())?;
            let ends = Self { first: rows::number(first)?, next: rows::number(next)? };
            (1..=ends.next).contains(&ends.first).then_some(ends)
        };
        rows::read(keys::EVENTS_ENDS, row, read)
    }

    fn write(self, transaction: &mut Transaction<'_>) {
        let row = [self.first.to_le_bytes(), self.next.to_le_bytes()].concat();
        transaction.put(keys::EVENTS_ENDS.to_vec(), row);
    }
}

#[async_trait::async_trait]
impl Audit for Database {
    async fn append(&self, events: Vec<(u64, String)>) -> Result<()> {
        let mut events = events.into_iter();
        loop {
            let rows: Vec<_> =
                events.by_ref().take(AT_ONCE).map(|(unix_millis, json)| row(unix_millis, json)).collect();
            if rows.is_empty() {
                return Ok(());
            }
            self.seen_of(rows.iter().map(Vec::len).sum(), move |transaction| {
                let mut ends = Ends::read(transaction.get(keys::EVENTS_ENDS)?.as_deref())?;
                for row in rows {
                    transaction.put(keys::event(ends.next), row);
                    ends.next += 1;
                }
                ends.write(transaction);
                Ok(())
            })
            .await?;
        }
    }

    async fn newest(&self, before: Option<u64>, count: usize) -> Result<Vec<Entry>> {
        let ends = Ends::read(self.get(keys::EVENTS_ENDS)?.as_deref())?;
        let until = before.map_or(ends.next, |before| before.min(ends.next));
        let from = until.saturating_sub(count as u64).max(ends.first);
        let mut entries = Vec::new();
        if from >= until {
            return Ok(entries);
        }
        self.each(keys::EVENTS, keys::event(from), count, |(rest, row)| {
            let key = [keys::EVENTS, &rest].concat();
            let id = keys::event_number(&rest).ok_or_else(|| rows::damaged(&key, "it has no number"))?;
            if id >= until {
                return Ok(ControlFlow::Break(()));
            }
            let (unix_millis, json) = rows::read(&key, &row, read)?;
            entries.push(Entry { id, unix_millis, json });
            Ok(ControlFlow::Continue(()))
        })
        .await?;
        entries.reverse();
        Ok(entries)
    }

    async fn trim(&self, unix_millis: u64, count_max: u64) -> Result<bool> {
        self.seen(move |transaction| {
            let before = Ends::read(transaction.get(keys::EVENTS_ENDS)?.as_deref())?;
            let mut ends = before;
            let more = loop {
                let key = keys::event(ends.first);
                if ends.first == ends.next || !is_old(transaction, &key, ends, unix_millis, count_max)? {
                    break false;
                }
                if ends.first - before.first == AT_ONCE as u64 {
                    break true;
                }
                transaction.remove(key);
                ends.first += 1;
            };
            if ends != before {
                ends.write(transaction);
            }
            Ok(more)
        })
        .await
    }
}

/// Whether the first event is to go. One that does not read tells nobody anything.
fn is_old(
    transaction: &Transaction<'_>,
    key: &[u8],
    ends: Ends,
    unix_millis: u64,
    count_max: u64,
) -> Result<bool> {
    if ends.next - ends.first > count_max {
        return Ok(true);
    }
    let event = transaction.get(key)?.and_then(|row| read(&row));
    Ok(event.is_none_or(|(at, _)| at < unix_millis))
}

fn row(unix_millis: u64, json: String) -> Vec<u8> {
    let json = match json.len() {
        0..=EVENT_BYTES_MAX => json,
        bytes => format!("{{\"omitted_bytes\":{bytes}}}"),
    };
    [unix_millis.to_le_bytes().as_slice(), json.as_bytes()].concat()
}

fn read(row: &[u8]) -> Option<(u64, String)> {
    let (at, json) = row.split_at_checked(size_of::<u64>())?;
    Some((rows::number(at)?, String::from_utf8(json.to_vec()).ok()?))
}
