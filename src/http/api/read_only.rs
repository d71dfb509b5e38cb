//! Whether changes are taken: switched by whoever moves the registry, and by an administrator. Where several processes
//! share the metadata, the switch is one for all of them.

use crate::http::api::call::{Call, Reply, done, invalid, json};
use crate::http::error::Problem;
use crate::metadata::holds::Holds;
use crate::registry::error::Error;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// Longest hold that ends by itself.
const SECS_MAX: u64 = 3600;
/// How long an answer waits for changes that are under way.
const QUIET_WITHIN: Duration = Duration::from_secs(5);
/// How often other processes are asked whether theirs have ended.
const PAUSE: Duration = Duration::from_millis(250);

#[derive(Serialize)]
struct Shown {
    read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unbroken: Option<String>,
    under_way: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct For {
    secs: Option<u64>,
}

/// How it stands.
pub async fn show(call: &Call<'_>) -> Reply {
    let read_only = &call.door.registry.read_only;
    let shown = if let Some(holds) = holds(call) {
        Shown {
            read_only: holds.is_held().await.map_err(fault)?,
            unbroken: None,
            under_way: holds.under_way().await.map_err(fault)?,
        }
    } else {
        let held = read_only.held();
        Shown {
            read_only: held.is_some(),
            unbroken: held.map(|id| id.to_string()),
            under_way: read_only.under_way() as u64,
        }
    };
    json(StatusCode::OK, &shown)
}

/// Takes no changes for a while, and waits a moment for those that are under way.
pub async fn hold(call: &Call<'_>) -> Reply {
    let For { secs } = call.read()?;
    if secs.is_some_and(|secs| !(1..=SECS_MAX).contains(&secs)) {
        return Err(invalid(format!("`secs` is from 1 to {SECS_MAX}")));
    }
    let read_only = &call.door.registry.read_only;
    let term = secs.map(Duration::from_secs);
    let was_held = is_held(call).await?;
    if let Some(holds) = holds(call) {
        holds.hold(term).await.map_err(fault)?;
        none_under_way(holds).await?;
    } else {
        read_only.hold(term);
        read_only.quiet(QUIET_WITHIN).await;
    }
    if !was_held {
        call.changed("registry".into(), "takes no changes");
    }
    show(call).await
}

/// Takes changes again.
pub async fn end(call: &Call<'_>) -> Reply {
    let was_held = is_held(call).await?;
    if let Some(holds) = holds(call) {
        holds.release().await.map_err(fault)?;
    }
    call.door.registry.read_only.give_back();
    if was_held {
        call.changed("registry".into(), "takes changes again");
    }
    done()
}

/// The switch of all processes that share the metadata.
fn holds<'a>(call: &Call<'a>) -> Option<&'a dyn Holds> {
    call.door.registry.metadata.shared.as_ref().map(|shared| shared.holds.as_ref())
}

async fn is_held(call: &Call<'_>) -> Result<bool, Problem> {
    match holds(call) {
        Some(holds) => holds.is_held().await.map_err(fault),
        None => Ok(call.door.registry.read_only.held().is_some()),
    }
}

/// Waits until no process has a change under way, but no longer than an answer may take.
async fn none_under_way(holds: &dyn Holds) -> Result<(), Problem> {
    let until = Instant::now() + QUIET_WITHIN;
    while holds.under_way().await.map_err(fault)? > 0 && Instant::now() < until {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

fn fault(error: crate::metadata::error::Error) -> Problem {
    Problem::Rule(Error::Metadata(error))
}
