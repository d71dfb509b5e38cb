//! From the parts to readiness: what the last run left under way is settled, and metadata that does not tell
//! all of storage is made again, while the doors answer "not yet".

use crate::app::accounts::Accounts;
use crate::auth;
use crate::metadata::completeness::REBUILD;
use crate::registry::error::Error as RegistryError;
use crate::registry::parts::Registry;
use crate::registry::transfer::marks;
use crate::registry::{rebuild, recover};
use crate::workers::lease::Lease;
use std::sync::Arc;
use std::time::Duration;

/// How often a replica that waits looks whether another one is done.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long replicas wait for one that reads and says nothing more.
const REBUILD_TERM: Duration = Duration::from_secs(30);

/// Why the registry could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The storage is not filled yet.
    #[error(
        "this storage is the target of a move that is not finished: run `holdfast move` again to its end"
    )]
    Unfinished,
    /// Images.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Accounts.
    #[error("accounts: {0}")]
    Accounts(#[from] auth::error::Error),
}

type Result<T> = std::result::Result<T, Error>;

/// Makes the registry ready. `Some`: that takes a while, and the future does it.
pub async fn start(
    registry: &Arc<Registry>,
    accounts: Option<Accounts>,
) -> Result<Option<impl Future<Output = ()> + Send + 'static>> {
    own(registry).await?;
    let metadata = &registry.metadata;
    if metadata.completeness.is_complete().await.map_err(RegistryError::from)? {
        settle(registry, accounts.as_ref()).await?;
        return Ok(None);
    }
    if is_empty(registry).await? {
        catch_up(registry, accounts.as_ref()).await?; // which takes no time
        return Ok(None);
    }
    tracing::warn!(
        "the storage holds images or accounts that the metadata does not tell of; reading them all, not ready until then"
    );
    let registry = Arc::clone(registry);
    Ok(Some(async move {
        if let Err(error) = catch_up(&registry, accounts.as_ref()).await {
            tracing::error!(%error, "the metadata could not be made from storage; not ready");
            registry.readiness.set_failed();
        }
    }))
}

/// Nobody serves what a move has not filled yet. Once it is filled, it is a registry of its own, which no move writes to.
async fn own(registry: &Registry) -> Result<()> {
    match marks::target(&registry.storage).await.map_err(RegistryError::from)? {
        Some(target) if !target.done => Err(Error::Unfinished),
        Some(_) => Ok(marks::settle(&registry.storage).await.map_err(RegistryError::from)?),
        None => Ok(()),
    }
}

async fn is_empty(registry: &Registry) -> std::result::Result<bool, RegistryError> {
    Ok(registry.storage.links.is_empty().await? && registry.storage.records.is_empty().await?)
}

/// Makes the metadata whole, or waits until another process that shares it has done so.
async fn catch_up(registry: &Registry, accounts: Option<&Accounts>) -> Result<()> {
    let lease = Lease::new(&registry.metadata, &registry.clock, REBUILD, REBUILD_TERM);
    let mut told = false;
    // Whoever begins again where another one has stopped begins with nothing: names may have gone in between.
    while !registry.metadata.completeness.is_complete().await.map_err(RegistryError::from)? {
        if lease.take().await {
            if registry.metadata.completeness.is_complete().await.map_err(RegistryError::from)? {
                break; // whoever had the lease before has just come to the end
            }
            if let Some(made) = lease.under(whole(registry)).await {
                made?;
            } else {
                tracing::warn!(
                    "the reading of storage stood still for too long, and is for another replica now"
                );
            }
            continue;
        }
        if !told {
            tracing::info!("another replica reads the storage; waiting until it is done");
            told = true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    lease.give_back().await;
    settle(registry, accounts).await
}

async fn whole(registry: &Registry) -> Result<()> {
    registry.metadata.completeness.clear().await.map_err(RegistryError::from)?;
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
    Ok(())
}

async fn settle(registry: &Registry, accounts: Option<&Accounts>) -> Result<()> {
    let settled = recover::all(registry).await?.settled;
    if settled > 0 {
        tracing::info!(settled, "operations that were left under way were settled");
    }
    if let Some(accounts) = accounts {
        accounts.open().await?;
    }
    registry.readiness.set_ready();
    Ok(())
}
