//! From the parts to readiness: what the last run left under way is settled, and metadata that does not tell
//! all of storage is made again, while the doors answer "not yet".

use crate::auth;
use crate::registry::error::Error as RegistryError;
use crate::registry::parts::Registry;
use crate::registry::{rebuild, recover};
use std::sync::Arc;

/// Why the registry could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Images.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Accounts.
    #[error("accounts: {0}")]
    Accounts(#[from] auth::error::Error),
}

type Result<T> = std::result::Result<T, Error>;

/// Makes the registry ready. `Some`: that takes a while, and the future does it.
pub async fn start(registry: &Arc<Registry>) -> Result<Option<impl Future<Output = ()> + Send + 'static>> {
    let metadata = &registry.metadata;
    if metadata.completeness.is_complete().await.map_err(RegistryError::from)? {
        settle(registry).await?;
        return Ok(None);
    }
    if is_empty(registry).await? {
        metadata.completeness.set_complete().await.map_err(RegistryError::from)?;
        settle(registry).await?;
        return Ok(None);
    }
    tracing::warn!(
        "the storage holds images or accounts that the metadata does not tell of; reading them all, not ready until then"
    );
    let registry = Arc::clone(registry);
    Ok(Some(async move {
        if let Err(error) = whole(&registry).await {
            tracing::error!(%error, "the metadata could not be made from storage; not ready");
            registry.readiness.set_failed();
        }
    }))
}

async fn is_empty(registry: &Registry) -> std::result::Result<bool, RegistryError> {
    Ok(registry.storage.links.is_empty().await? && registry.storage.records.is_empty().await?)
}

async fn whole(registry: &Registry) -> Result<()> {
    let report = rebuild::rebuild(registry, &|_, _| {}).await?;
    for odd in &report.odd {
        tracing::warn!(at = odd.at, why = odd.why, "skipped in storage");
    }
    tracing::info!(
        repositories = report.repositories,
        manifests = report.manifests,
        tags = report.tags,
        blobs = report.blobs,
        records = report.records,
        odd = report.odd_total,
        "the metadata was made from storage"
    );
    settle(registry).await
}

async fn settle(registry: &Registry) -> Result<()> {
    let settled = recover::all(registry).await?;
    if settled > 0 {
        tracing::info!(settled, "operations that the last run left under way were settled");
    }
    let settled = auth::settle::settle(&*registry.storage.records, &*registry.metadata.accounts).await?;
    if settled > 0 {
        tracing::info!(settled, "changes of accounts that the last run left under way were settled");
    }
    registry.readiness.set_ready();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FixedClock;
    use crate::record::{Record, Shelf};
    use crate::registry::config::Config;
    use crate::{metadata, storage};
    use bytes::Bytes;
    use std::path::Path;

    fn registry(folder: &Path, metadata: &str) -> Arc<Registry> {
        let storage = storage::open::open(&storage::config::Config::default(), folder).unwrap();
        let at = folder.join(metadata);
        let opened = metadata::open::open(&metadata::config::Config::default(), &at, 0).unwrap();
        Arc::new(Registry::new(storage, opened.metadata, Arc::new(FixedClock::at(0)), Config::default()))
    }

    async fn known(registry: &Registry, name: &str) -> Option<Record> {
        registry.metadata.accounts.find(Shelf::Users, name).await.unwrap()
    }

    #[tokio::test]
    async fn accounts_alone_are_reason_enough_to_make_the_metadata_again() {
        let folder = tempfile::tempdir().unwrap();
        {
            let registry = registry(folder.path(), "first");
            assert!(start(&registry).await.unwrap().is_none());
            assert!(registry.readiness.is_ready());
            let json = Bytes::from("{}");
            registry.storage.records.put(Shelf::Users, "alice", json, 0).await.unwrap();
        }
        // Storage is the same, and the metadata is lost.
        let registry = registry(folder.path(), "second");
        let catching_up = start(&registry).await.unwrap().unwrap();
        assert!(!registry.readiness.is_ready(), "not before all accounts are known");
        catching_up.await;
        assert!(registry.readiness.is_ready());
        assert_eq!(known(&registry, "alice").await, Some(Record { version: 1, json: "{}".into() }));
    }

    #[tokio::test]
    async fn changes_of_accounts_are_settled_before_anybody_is_let_in() {
        let folder = tempfile::tempdir().unwrap();
        {
            let registry = registry(folder.path(), "metadata");
            assert!(start(&registry).await.unwrap().is_none());
            let (records, accounts) = (&registry.storage.records, &registry.metadata.accounts);
            for name in ["disabled", "removed"] {
                accounts.begin(Shelf::Users, name).await.unwrap();
                records.put(Shelf::Users, name, "1".into(), 0).await.unwrap();
                let record = Record { version: 1, json: "1".into() };
                accounts.keep(Shelf::Users, name, record).await.unwrap();
                accounts.begin(Shelf::Users, name).await.unwrap();
            }
            records.put(Shelf::Users, "disabled", "2".into(), 1).await.unwrap();
            records.remove(Shelf::Users, "removed", 1).await.unwrap();
        }
        let registry = registry(folder.path(), "metadata");
        assert!(start(&registry).await.unwrap().is_none());
        assert!(registry.readiness.is_ready());
        assert_eq!(known(&registry, "disabled").await, Some(Record { version: 2, json: "2".into() }));
        assert_eq!(known(&registry, "removed").await, None);
    }
}
