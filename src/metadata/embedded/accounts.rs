//! Records of accounts on an ordered key engine: a row for each, which begins with its version.

use crate::metadata::accounts::Accounts;
use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::transaction::Transaction;
use crate::metadata::embedded::{keys, long, rows};
use crate::metadata::error::{Error, Result};
use crate::metadata::intents::Begun;
use crate::oci::page::{Listed, Page};
use crate::record::{Record, Shelf};
use bytes::{Bytes, BytesMut};
use std::ops::ControlFlow;

/// About so many bytes of records are listed at once.
const LISTED_BYTES: usize = 4 << 20;

#[async_trait::async_trait]
impl Accounts for Database {
    async fn find(&self, shelf: Shelf, name: &str) -> Result<Option<Record>> {
        if !keys::is_record_name(name) {
            return Ok(None);
        }
        record(|key| self.get(key), &keys::record(shelf, name))
    }

    async fn list(&self, shelf: Shelf, page: &Page) -> Result<Listed<(String, Record)>> {
        let mut listed = Listed::empty();
        if page.entries_max == 0 {
            return Ok(listed);
        }
        let prefix = keys::records(shelf);
        let from = match &page.last {
            Some(last) => keys::next([prefix.as_slice(), last.as_bytes()].concat()),
            None => prefix.clone(),
        };
        let mut bytes = 0;
        self.each(&prefix, from, page.entries_max.saturating_add(1), |(rest, _)| {
            let key = [prefix.as_slice(), &rest].concat();
            let name = keys::parsed(&rest).ok_or_else(|| rows::damaged(&key, "it names no record"))?;
            let Some(record) = record(|key| self.get(key), &key)? else {
                return Ok(ControlFlow::Continue(())); // it went away meanwhile
            };
            if listed.entries.len() == page.entries_max || bytes >= LISTED_BYTES {
                listed.more = true;
                return Ok(ControlFlow::Break(()));
            }
            bytes += record.json.len();
            listed.entries.push((name, record));
            Ok(ControlFlow::Continue(()))
        })
        .await?;
        Ok(listed)
    }

    async fn begin(&self, shelf: Shelf, name: &str) -> Result<Begun> {
        let key = pending(shelf, name)?;
        self.durable(move |transaction| {
            transaction.put(key, Vec::new());
            Ok(Begun::Stands) // there is no other process
        })
        .await
    }

    async fn keep(&self, shelf: Shelf, name: &str, kept: Record) -> Result<()> {
        let (pending, key) = (pending(shelf, name)?, keys::record(shelf, name));
        self.durable_of(kept.json.len(), move |transaction| {
            transaction.remove(pending);
            let known = record(|key| transaction.get(key), &key)?;
            if known.is_some_and(|known| known.version > kept.version) {
                return Ok(());
            }
            write(transaction, key, &kept)
        })
        .await
    }

    async fn forget(&self, shelf: Shelf, name: &str) -> Result<()> {
        let (pending, key) = (pending(shelf, name)?, keys::record(shelf, name));
        let used = keys::used(name);
        self.durable(move |transaction| {
            transaction.remove(pending);
            if shelf == Shelf::Tokens {
                transaction.remove(used);
            }
            long::remove(transaction, key)
        })
        .await
    }

    async fn pending(&self, count: usize) -> Result<Vec<(Shelf, String)>> {
        self.left_over.records(count, |key| {
            if self.get(key)?.is_none() {
                return Ok(None);
            }
            let named = key.get(keys::PENDING.len()..).and_then(keys::shelf_and_name);
            named.map(Some).ok_or_else(|| rows::damaged(key, "it names no record"))
        })
    }

    async fn used(&self, uses: &[(String, u64)]) -> Result<()> {
        let uses: Vec<_> = uses.iter().filter(|(token, _)| keys::is_record_name(token)).cloned().collect();
        let bytes = uses.iter().map(|(token, _)| token.len() + size_of::<u64>()).sum();
        self.seen_of(bytes, move |transaction| {
            for (token, unix_secs) in uses {
                // One that is gone would leave a row that nothing takes away.
                if transaction.get(&keys::record(Shelf::Tokens, &token))?.is_none() {
                    continue;
                }
                let key = keys::used(&token);
                let known = transaction.get(&key)?.and_then(|row| rows::number(&row));
                if known.is_none_or(|known| known < unix_secs) {
                    transaction.put(key, unix_secs.to_le_bytes().to_vec());
                }
            }
            Ok(())
        })
        .await
    }

    async fn last_used(&self, token: &str) -> Result<Option<u64>> {
        let key = keys::used(token);
        self.get(&key)?.map(|row| rows::read(&key, &row, rows::number)).transpose()
    }
}

fn pending(shelf: Shelf, name: &str) -> Result<Vec<u8>> {
    if keys::is_record_name(name) {
        Ok(keys::pending(shelf, name))
    } else {
        Err(Error::Fault(format!("a name of {} bytes on the shelf of {}", name.len(), shelf.as_str())))
    }
}

/// Reads a record, with `get` for each of its rows.
fn record(get: impl Fn(&[u8]) -> Result<Option<Bytes>>, key: &[u8]) -> Result<Option<Record>> {
    let Some(mut version) = long::get(get, key)? else { return Ok(None) };
    let json = version.split_off(size_of::<u64>().min(version.len()));
    Ok(Some(Record { version: rows::read(key, &version, rows::number)?, json }))
}

fn write(transaction: &mut Transaction<'_>, key: Vec<u8>, record: &Record) -> Result<()> {
    let mut value = BytesMut::with_capacity(size_of::<u64>() + record.json.len());
    value.extend_from_slice(&record.version.to_le_bytes());
    value.extend_from_slice(&record.json);
    // The one before may have been longer.
    long::remove(transaction, key.clone())?;
    long::put(transaction, key, &value.freeze())
}
