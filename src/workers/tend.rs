//! Tends what belongs to accounts: tells when tokens were last used, drops those that have ended, changes the keys
//! that sign.

use crate::auth::accounts::{load, sweep};
use crate::auth::gate::Gate;
use crate::registry::parts::Registry;
use std::sync::Arc;
use std::time::Duration;

/// How often uses are told and ended tokens are dropped.
const INTERVAL: Duration = Duration::from_mins(1);
/// Tokens that are looked at in one interval.
const SWEPT_AT_ONCE: usize = 1000;
/// How often, in intervals, the keys are looked at.
const KEYS_EVERY: u64 = 10;

/// Tends for as long as it is polled.
pub async fn run(gate: Arc<Gate>, registry: Arc<Registry>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0_u64.. {
        ticks.tick().await;
        if !registry.readiness.is_ready() {
            continue;
        }
        if let Err(error) = sweep::flush_uses(&gate.directory).await {
            tracing::error!(%error, "when tokens were last used could not be told");
        }
        if let Err(error) = load::mend(&gate.directory).await {
            tracing::error!(%error, "a change of an account that broke off could not be settled");
        }
        match sweep::sweep(&gate.directory, SWEPT_AT_ONCE).await {
            Ok(0) => {}
            Ok(dropped) => tracing::info!(dropped, "tokens that had ended were dropped"),
            Err(error) => tracing::error!(%error, "tokens that have ended could not be dropped"),
        }
        if round % KEYS_EVERY == 0
            && let Err(error) = gate.ring.tend().await
        {
            tracing::error!(%error, "the signing keys could not be tended");
        }
    }
}
