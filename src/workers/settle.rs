//! Settles what was left half done: by processes that are no more, and by this one where storage or the metadata did not
//! answer. Names that wait for it are closed to everybody.

use crate::auth::accounts::load;
use crate::auth::gate::Gate;
use crate::metadata::intents::IntentId;
use crate::registry::parts::Registry;
use crate::registry::recover;
use crate::registry::turns::SETTLED_EVERY;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many times it passes over what could not be settled, which is damaged, or waits for something that is away.
const PASSED_OVER: u32 = 5;

/// Settles for as long as it is polled.
pub async fn run(registry: Arc<Registry>, gate: Option<Arc<Gate>>) {
    let mut ticks = tokio::time::interval(SETTLED_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut left, mut passing_over) = (BTreeSet::new(), 0);
    let mut answers = true;
    loop {
        ticks.tick().await;
        if !registry.readiness.is_ready() {
            continue;
        }
        recover::again(&registry).await;
        if passing_over == 0 {
            left.clear();
            passing_over = PASSED_OVER;
        } else {
            passing_over -= 1;
        }
        match orphans(&registry, gate.as_deref(), &mut left).await {
            Ok(()) => answers = true,
            Err(why) => {
                if answers {
                    tracing::error!(why, "what other processes have left under way cannot be looked for");
                }
                answers = false;
            }
        }
    }
}

/// Settles what others have left, but for `left`; what cannot be settled is added to that.
async fn orphans(
    registry: &Registry,
    gate: Option<&Gate>,
    left: &mut BTreeSet<IntentId>,
) -> Result<(), String> {
    let settled = recover::all_but(registry, left).await.map_err(|error| error.to_string())?;
    if settled > 0 {
        tracing::info!(settled, "operations that another process left under way were settled");
    }
    if let Some(gate) = gate {
        load::settle(&gate.directory).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}
