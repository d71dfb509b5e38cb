//! From the parts to readiness: what the last run left under way is settled, and metadata that does not tell
//! all of storage is made again, while the doors answer "not yet".

use crate::registry::error::Result;
use crate::registry::parts::Registry;
use crate::registry::{rebuild, recover};
use std::sync::Arc;

/// Makes the registry ready. `Some`: that takes a while, and the future does it.
pub async fn start(registry: &Arc<Registry>) -> Result<Option<impl Future<Output = ()> + Send + 'static>> {
    if registry.metadata.completeness.is_complete().await? {
        settle(registry).await?;
        return Ok(None);
    }
    if registry.storage.links.is_empty().await? {
        registry.metadata.completeness.set_complete().await?;
        settle(registry).await?;
        return Ok(None);
    }
    tracing::warn!(
        "the storage holds images that the metadata does not tell of; reading them all, not ready until then"
    );
    let registry = Arc::clone(registry);
    Ok(Some(async move {
        if let Err(error) = whole(&registry).await {
            tracing::error!(%error, "the metadata could not be made from storage; not ready");
            registry.readiness.set_failed();
        }
    }))
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
    registry.readiness.set_ready();
    Ok(())
}
