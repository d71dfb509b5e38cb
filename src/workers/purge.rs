//! Drops uploads that nobody goes on with, so that their bytes do not fill the disk.

use crate::registry::parts::Registry;
use crate::registry::uploads;
use std::sync::Arc;
use std::time::Duration;

/// How often it looks.
const INTERVAL: Duration = Duration::from_mins(10);

/// Purges for as long as it is polled.
pub async fn run(registry: Arc<Registry>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if !registry.readiness.is_ready() {
            continue;
        }
        match uploads::purge(&registry).await {
            Ok(0) => {}
            Ok(dropped) => tracing::info!(dropped, "uploads that stood still for too long were dropped"),
            Err(error) => tracing::error!(%error, "stale uploads could not be dropped"),
        }
    }
}
