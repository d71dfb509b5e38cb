//! Values that are too long for one row: the first row tells the whole length, the rest stands in rows of a table
//! of its own. Why rows are short is told at `VALUE_BYTES_MAX`.

use crate::metadata::embedded::engine::VALUE_BYTES_MAX;
use crate::metadata::embedded::keys;
use crate::metadata::embedded::rows::damaged;
use crate::metadata::embedded::transaction::Transaction;
use crate::metadata::error::{Error, Result};
use bytes::{Bytes, BytesMut};

const LENGTH_BYTES: usize = 4;
const FIRST_BYTES: usize = VALUE_BYTES_MAX - LENGTH_BYTES;
/// How often a value is looked at that changes while it is read.
const TRIES: u32 = 8;
/// Longest value that can be cut into pieces: what one byte counts of them.
pub const BYTES_MAX: usize = FIRST_BYTES + 255 * VALUE_BYTES_MAX;

/// Writes a long value. A value that was there must not have been longer.
pub fn put(transaction: &mut Transaction<'_>, key: Vec<u8>, value: &Bytes) -> Result<()> {
    if value.len() > BYTES_MAX {
        return Err(Error::Fault(format!("a value of {} bytes is too long", value.len())));
    }
    let (first, rest) = value.split_at(value.len().min(FIRST_BYTES));
    for (number, piece) in rest.chunks(VALUE_BYTES_MAX).enumerate() {
        transaction.put(keys::piece(&key, number as u8), Bytes::copy_from_slice(piece));
    }
    let mut row = Vec::with_capacity(LENGTH_BYTES + first.len());
    row.extend((value.len() as u32).to_le_bytes());
    row.extend(first);
    transaction.put(key, row);
    Ok(())
}

/// Removes a long value, if it is there.
pub fn remove(transaction: &mut Transaction<'_>, key: Vec<u8>) -> Result<()> {
    let Some(row) = transaction.get(&key)? else { return Ok(()) };
    let (length, _) = first(&key, &row)?;
    for number in 0..length.saturating_sub(FIRST_BYTES).div_ceil(VALUE_BYTES_MAX) {
        transaction.remove(keys::piece(&key, number as u8));
    }
    transaction.remove(key);
    Ok(())
}

/// Reads a long value, with `get` for each of its rows.
pub fn get(get: impl Fn(&[u8]) -> Result<Option<Bytes>>, key: &[u8]) -> Result<Option<Bytes>> {
    // Outside of the committer, a value may be removed, or another one be written in its place, between two of its
    // rows. Then the first row is gone or another one, and the next look finds all. Values that follow each other
    // under one key must differ in their first row: a record begins with its version.
    for _ in 0..TRIES {
        let Some(row) = get(key)? else { return Ok(None) };
        let (length, start) = first(key, &row)?;
        if start.len() == length {
            return Ok(Some(start));
        }
        let mut value = BytesMut::with_capacity(length);
        value.extend_from_slice(&start);
        let mut number: u8 = 0;
        while let Some(piece) = get(&keys::piece(key, number))? {
            value.extend_from_slice(&piece);
            if value.len() >= length {
                break;
            }
            number = number.saturating_add(1);
        }
        if value.len() == length && get(key)?.as_ref() == Some(&row) {
            return Ok(Some(value.freeze()));
        }
    }
    Err(damaged(key, "pieces of the value are missing"))
}

fn first(key: &[u8], row: &Bytes) -> Result<(usize, Bytes)> {
    let (length, _) = row.split_first_chunk().ok_or_else(|| damaged(key, "the length is missing"))?;
    let length = u32::from_le_bytes(*length) as usize;
    let start = row.slice(LENGTH_BYTES..);
    if start.len() != length.min(FIRST_BYTES) || length > BYTES_MAX {
        return Err(damaged(key, "the length is wrong"));
    }
    Ok((length, start))
}
