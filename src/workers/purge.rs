//! Drops uploads that nobody goes on with, so that their bytes do not fill the disk. One process does it for all.

use crate::registry::parts::Registry;
use crate::registry::stale;
use crate::workers::lease::Lease;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// How often it looks.
const INTERVAL: Duration = Duration::from_mins(10);
/// How soon it looks again while the metadata is being made.
const UNREADY: Duration = Duration::from_secs(1);
/// How long the others wait for one that says nothing more.
const TERM: Duration = Duration::from_mins(15);

/// Purges until `stop` is done.
pub async fn run(registry: Arc<Registry>, stop: impl Future<Output = ()>) {
    let lease = Lease::new(&registry.metadata, &registry.clock, "purge", TERM);
    let mut stop = pin!(stop);
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = &mut stop => break,
        }
        if !registry.readiness.is_ready() {
            ticks.reset_after(UNREADY);
            continue;
        }
        tokio::select! {
            () = purge(&registry, &lease) => {}
            () = &mut stop => break,
        }
    }
    lease.give_back().await;
}

async fn purge(registry: &Registry, lease: &Lease) {
    if !lease.take().await {
        return;
    }
    let may = || lease.holds();
    let Some(purged) = lease.under(stale::purge(registry, &may)).await else { return };
    match purged {
        Ok(0) => {}
        Ok(dropped) => tracing::info!(dropped, "uploads that stood still for too long were dropped"),
        Err(error) => tracing::error!(%error, "stale uploads could not be dropped"),
    }
}
