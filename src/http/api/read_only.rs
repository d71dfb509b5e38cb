//! Whether changes are taken: switched by whoever moves the registry, and by an administrator.

use crate::http::api::call::{Call, Reply, done, invalid, json};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest hold that ends by itself.
const SECS_MAX: u64 = 3600;
/// How long an answer waits for changes that are under way.
const QUIET_WITHIN: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Shown {
    read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unbroken: Option<String>,
    under_way: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct For {
    secs: Option<u64>,
}

/// How it stands.
pub fn show(call: &Call<'_>) -> Reply {
    let read_only = &call.door.registry.read_only;
    let (held, under_way) = (read_only.held(), read_only.under_way());
    let shown = Shown { read_only: held.is_some(), unbroken: held.map(|id| id.to_string()), under_way };
    json(StatusCode::OK, &shown)
}

/// Takes no changes for a while, and waits a moment for those that are under way.
pub async fn hold(call: &Call<'_>) -> Reply {
    let For { secs } = call.read()?;
    if secs.is_some_and(|secs| !(1..=SECS_MAX).contains(&secs)) {
        return Err(invalid(format!("`secs` is from 1 to {SECS_MAX}")));
    }
    let read_only = &call.door.registry.read_only;
    if read_only.held().is_none() {
        call.changed("registry".into(), "takes no changes");
    }
    read_only.hold(secs.map(Duration::from_secs));
    read_only.quiet(QUIET_WITHIN).await;
    show(call)
}

/// Takes changes again.
pub fn end(call: &Call<'_>) -> Reply {
    if call.door.registry.read_only.held().is_some() {
        call.changed("registry".into(), "takes changes again");
    }
    call.door.registry.read_only.give_back();
    done()
}
