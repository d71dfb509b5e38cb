//! Takes no changes while another process that shares the metadata moves the registry: that process holds a lease, and
//! every replica looks for it.

use crate::registry::parts::Registry;
use crate::registry::transfer::marks::STAND_STILL;
use std::sync::Arc;
use std::time::Duration;

/// How often it looks. Whoever takes the lease waits for several of these.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long changes stay away after the lease was last seen: a database that does not answer must not let them in.
const TERM: Duration = Duration::from_secs(10);

/// Looks for as long as it is polled.
pub async fn run(registry: Arc<Registry>) {
    if registry.metadata.shared.is_none() {
        return; // there is no other process
    }
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match registry.metadata.leases.is_taken(STAND_STILL).await {
            Ok(true) => drop(registry.read_only.hold(Some(TERM))),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "whether the registry is being moved could not be asked"),
        }
    }
}
