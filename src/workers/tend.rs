//! Tends what belongs to accounts: tells when tokens were last used, drops those that have ended, changes the keys
//! that sign. Each process tells its own uses; the rest one process does for all.

use crate::auth::accounts::{load, sweep};
use crate::auth::gate::Gate;
use crate::registry::parts::Registry;
use crate::workers::lease::Lease;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// How often uses are told and ended tokens are dropped.
const INTERVAL: Duration = Duration::from_mins(1);
/// How long the others wait for a process that says nothing more.
const TERM: Duration = Duration::from_mins(3);
/// Tokens that are looked at in one interval.
const SWEPT_AT_ONCE: usize = 1000;
/// How often, in intervals, the keys are looked at.
const KEYS_EVERY: u64 = 10;

/// Tends until `stop` is done.
pub async fn run(gate: Arc<Gate>, registry: Arc<Registry>, stop: impl Future<Output = ()>) {
    let lease = Lease::new(&registry.metadata, &registry.clock, "accounts", TERM);
    let mut stop = pin!(stop);
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0_u64.. {
        tokio::select! {
            _ = ticks.tick() => {}
            () = &mut stop => break,
        }
        if !registry.readiness.is_ready() {
            continue;
        }
        if let Err(error) = sweep::flush_uses(&gate.directory).await {
            tracing::error!(%error, "when tokens were last used could not be told");
        }
        let keys = round % KEYS_EVERY == 0;
        if lease.take().await {
            tend(&gate, keys).await;
        } else if keys && let Err(error) = gate.ring.refresh().await {
            tracing::error!(%error, "the signing keys of other replicas could not be read");
        }
    }
    lease.give_back().await;
}

/// What is dead stays dead, and what is written is compared and set: a process that has stood still in the middle of this,
/// and has lost the work to another one, does no harm.
async fn tend(gate: &Gate, keys: bool) {
    if let Err(error) = load::mend(&gate.directory).await {
        tracing::error!(%error, "a change of an account that broke off could not be settled");
    }
    match sweep::sweep(&gate.directory, SWEPT_AT_ONCE).await {
        Ok(0) => {}
        Ok(dropped) => tracing::info!(dropped, "tokens that had ended were dropped"),
        Err(error) => tracing::error!(%error, "tokens that have ended could not be dropped"),
    }
    if keys && let Err(error) = gate.ring.tend().await {
        tracing::error!(%error, "the signing keys could not be tended");
    }
}
