//! The mark of completeness on an ordered key engine.

use crate::metadata::completeness::Completeness;
use crate::metadata::embedded::database::{Database, Row};
use crate::metadata::embedded::keys;
use crate::metadata::embedded::transaction::Transaction;
use crate::metadata::error::Result;
use std::ops::ControlFlow;

/// Rows that are removed at once.
const AT_ONCE: usize = 1000;

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

    async fn doubt(&self) -> Result<()> {
        self.durable(|transaction| {
            transaction.remove(keys::COMPLETE.to_vec());
            Ok(())
        })
        .await
    }

    async fn clear(&self) -> Result<()> {
        self.doubt().await?;
        for &table in keys::TOLD_BY_STORAGE {
            self.clear_rows(&[table]).await?;
            self.clear_rows(&keys::pieces(table)).await?;
        }
        Ok(())
    }
}

impl Database {
    /// Removes all rows whose keys begin so, some at a time: they need not fit into memory.
    async fn clear_rows(&self, prefix: &[u8]) -> Result<()> {
        loop {
            let mut found = Vec::new();
            let take = |(rest, _): Row| {
                found.push([prefix, &rest].concat());
                Ok(if found.len() == AT_ONCE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            };
            self.each(prefix, prefix.to_vec(), AT_ONCE, take).await?;
            if found.is_empty() {
                return Ok(());
            }
            let remove = |transaction: &mut Transaction<'_>| {
                for key in found {
                    transaction.remove(key);
                }
                Ok(())
            };
            self.durable(remove).await?;
        }
    }
}
