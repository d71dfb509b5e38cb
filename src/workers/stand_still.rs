//! Takes no changes while the processes that share the metadata are held: one of them moves the registry, or an
//! administrator has told another one. The metadata itself begins no change then; whoever has heard of it refuses before a
//! byte is taken.

use crate::registry::parts::Registry;
use std::sync::Arc;
use std::time::Duration;

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long changes stay away after a hold was last seen.
const TERM: Duration = Duration::from_secs(10);

/// Looks for as long as it is polled.
pub async fn run(registry: Arc<Registry>) {
    let Some(shared) = &registry.metadata.shared else {
        return; // there is no other process
    };
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match shared.holds.is_held().await {
            Ok(true) => drop(registry.read_only.hold(Some(TERM))),
            Ok(false) => registry.read_only.give_back(),
            Err(error) => tracing::warn!(%error, "whether changes are taken could not be asked"),
        }
    }
}
