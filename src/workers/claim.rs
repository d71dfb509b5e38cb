//! Keeps the claim on the storage for as long as this process serves. Whoever has lost it changes nothing more: `turns.rs`
//! asks before each change.

use crate::registry::parts::Registry;
use crate::storage::claim::{Claimed, TERM};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// How often it is renewed: three times in its term, so that one failure does not matter.
const INTERVAL: Duration = Duration::from_secs(TERM.as_secs() / 3);

/// Keeps it until `stop` is done, and then gives up that of a process: the next one need not wait for its end.
pub async fn run(registry: Arc<Registry>, stop: impl Future<Output = ()>) {
    let claim = &registry.storage.claim;
    let mut stop = pin!(stop);
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut lost = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = &mut stop => break,
        }
        match claim.renew().await {
            Ok(Claimed::Ours) => lost = false,
            Ok(Claimed::Theirs(holder) | Claimed::Outdated(holder)) if !lost => {
                lost = true;
                tracing::error!(%holder, "the claim on the storage is lost; nothing is changed any more until a restart");
            }
            Ok(Claimed::Theirs(_) | Claimed::Outdated(_)) => {}
            Err(error) => tracing::warn!(%error, "the claim on the storage could not be renewed"),
        }
    }
    // That of a database which many share is not ours alone to give up.
    if registry.metadata.shared.is_none()
        && let Err(error) = claim.release().await
    {
        tracing::debug!(%error, "the claim on the storage could not be given up; it ends by itself");
    }
}
