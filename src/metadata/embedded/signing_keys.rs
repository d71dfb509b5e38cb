//! Signing keys on an ordered key engine: a row for each, in JSON.

use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::{keys, long, rows};
use crate::metadata::error::{Error, Result};
use crate::metadata::signing_keys::{SigningKey, SigningKeys};
use crate::secret::Secret;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Longest id.
const ID_BYTES_MAX: usize = 256;

#[derive(Serialize, Deserialize)]
struct Row {
    algorithm: String,
    pem: Secret,
    created: u64,
}

#[async_trait::async_trait]
impl SigningKeys for Database {
    async fn all(&self) -> Result<Vec<SigningKey>> {
        let mut all = Vec::new();
        self.each(keys::SIGNING_KEYS, keys::SIGNING_KEYS.to_vec(), usize::MAX, |(rest, _)| {
            let key = [keys::SIGNING_KEYS, &rest].concat();
            if let Some(row) = long::get(|key| self.get(key), &key)? {
                all.push(read(&key, &row)?);
            }
            Ok(ControlFlow::Continue(()))
        })
        .await?;
        all.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        Ok(all)
    }

    async fn add(&self, key: &SigningKey, since: u64) -> Result<bool> {
        let SigningKey { id, algorithm, pem, created } = key.clone();
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return Err(Error::Fault(format!("a signing key with an id of {} bytes", id.len())));
        }
        let row = serde_json::to_vec(&Row { algorithm: algorithm.clone(), pem, created });
        let row = Bytes::from(row.map_err(|_| Error::Fault("a signing key that is no JSON".into()))?);
        let key = keys::signing_key(&id);
        self.durable_of(row.len(), move |transaction| {
            if transaction.get(&key)?.is_some() {
                return Ok(false);
            }
            for (other, _) in transaction.rows(keys::SIGNING_KEYS)? {
                let Some(row) = long::get(|key| transaction.get(key), &other)? else { continue };
                let other = read(&other, &row)?;
                if other.algorithm == algorithm && other.created > since {
                    return Ok(false);
                }
            }
            long::put(transaction, key, &row)?;
            Ok(true)
        })
        .await
    }

    async fn remove(&self, id: &str) -> Result<()> {
        let key = keys::signing_key(id);
        self.durable(move |transaction| long::remove(transaction, key)).await
    }
}

fn read(key: &[u8], row: &[u8]) -> Result<SigningKey> {
    let id = key.strip_prefix(keys::SIGNING_KEYS).and_then(keys::parsed);
    let id = id.ok_or_else(|| rows::damaged(key, "it names no key"))?;
    let Row { algorithm, pem, created } = rows::read(key, row, |row| serde_json::from_slice(row).ok())?;
    Ok(SigningKey { id, algorithm, pem, created })
}
