//! Intents on an ordered key engine.

use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::{keys, long, rows};
use crate::metadata::error::{Error, Result};
use crate::metadata::intents::{Begun, Intent, IntentId, Intents};
use bytes::Bytes;

#[async_trait::async_trait]
impl Intents for Database {
    async fn begin(&self, id: IntentId, intent: &Intent) -> Result<Begun> {
        let row = serde_json::to_vec(intent).map_err(|error| Error::Fault(error.to_string()))?;
        let row = Bytes::from(row);
        self.durable_of(row.len(), move |transaction| long::put(transaction, keys::intent(id), &row)).await?;
        Ok(Begun::Stands) // there is no other process
    }

    fn holds(&self, id: IntentId) -> bool {
        // A row that cannot be read now is told of by whatever is done under it.
        self.get(&keys::intent(id)).map_or(true, |row| row.is_some())
    }

    async fn end(&self, id: IntentId) -> Result<()> {
        self.seen(move |transaction| long::remove(transaction, keys::intent(id))).await
    }

    async fn pending(&self, count: usize) -> Result<Vec<(IntentId, Intent)>> {
        self.left_over.intents(count, |key| {
            let Some(row) = long::get(|key| self.get(key), key)? else { return Ok(None) };
            let id = key.get(keys::INTENTS.len()..).and_then(keys::intent_id);
            let id = id.ok_or_else(|| rows::damaged(key, "it names no intent"))?;
            Ok(Some((id, rows::read(key, &row, |row| serde_json::from_slice(row).ok())?)))
        })
    }
}
