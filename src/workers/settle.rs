//! Settles what was left half done: by processes that are no more, and by this one where storage or the metadata did not
//! answer. Names that wait for it are closed to everybody.

use crate::auth::accounts::load;
use crate::auth::gate::Gate;
use crate::registry::parts::Registry;
use crate::registry::recover;
use std::sync::Arc;
use std::time::Duration;

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// How many times it passes over what could not be settled, which is damaged, or waits for something that is away.
const PASSED_OVER: u32 = 5;

/// Settles for as long as it is polled.
pub async fn run(registry: Arc<Registry>, gate: Option<Arc<Gate>>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut passing_over = 0;
    let mut answers = true;
    loop {
        ticks.tick().await;
        if !registry.readiness.is_ready() {
            continue;
        }
        recover::again(&registry).await;
        if passing_over > 0 {
            passing_over -= 1;
            continue;
        }
        match orphans(&registry, gate.as_deref()).await {
            Ok(left) => {
                answers = true;
                passing_over = if left > 0 { PASSED_OVER } else { 0 };
            }
            Err(why) => {
                if answers {
                    tracing::error!(why, "what other processes have left under way cannot be looked for");
                }
                answers = false;
            }
        }
    }
}

/// Answers how much is left.
async fn orphans(registry: &Registry, gate: Option<&Gate>) -> Result<usize, String> {
    let recovered = recover::all(registry).await.map_err(|error| error.to_string())?;
    if recovered.settled > 0 {
        tracing::info!(
            settled = recovered.settled,
            "operations that another process left under way were settled"
        );
    }
    if let Some(gate) = gate {
        load::settle(&gate.directory).await.map_err(|error| error.to_string())?;
    }
    Ok(recovered.left)
}
