//! The mark of completeness on an ordered key engine.

use crate::metadata::completeness::Completeness;
use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::keys;
use crate::metadata::error::Result;

#[async_trait::async_trait]
impl Completeness for Database {
    async fn is_complete(&self) -> Result<bool> {
        Ok(self.get(keys::COMPLETE)?.is_some())
    }

    async fn set_complete(&self) -> Result<()> {
        self.durable(|transaction| {
            transaction.put(keys::COMPLETE.to_vec(), Vec::new());
            Ok(())
        })
        .await
    }
}
