//! Intents on an ordered key engine.

use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::{keys, long, rows};
use crate::metadata::error::{Error, Result};
use crate::metadata::intents::{Begun, Intent, IntentId, Intents};
use bytes::Bytes;
use std::ops::ControlFlow;

#[async_trait::async_trait]
impl Intents for Database {
    async fn begin(&self, id: IntentId, intent: &Intent) -> Result<Begun> {
        let row = serde_json::to_vec(intent).map_err(|error| Error::Fault(error.to_string()))?;
        let row = Bytes::from(row);
        self.durable_of(row.len(), move |transaction| long::put(transaction, keys::intent(id), &row)).await?;
        Ok(Begun::Stands) // there is no other process
    }

    async fn end(&self, id: IntentId) -> Result<()> {
        self.seen(move |transaction| long::remove(transaction, keys::intent(id))).await
    }

    async fn pending(&self, count: usize) -> Result<Vec<(IntentId, Intent)>> {
        let mut pending = Vec::new();
        self.each(keys::INTENTS, keys::INTENTS.to_vec(), count, |(rest, _)| {
            if pending.len() == count {
                return Ok(ControlFlow::Break(()));
            }
            let key = [keys::INTENTS, &rest].concat();
            let id = keys::intent_id(&rest).ok_or_else(|| rows::damaged(&key, "it names no intent"))?;
            if let Some(row) = long::get(|key| self.get(key), &key)? {
                pending.push((id, rows::read(&key, &row, |row| serde_json::from_slice(row).ok())?));
            }
            Ok(ControlFlow::Continue(()))
        })
        .await?;
        Ok(pending)
    }

    fn still_alive(&self) -> bool {
        true
    }
}
