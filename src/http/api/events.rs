//! The audit trail, as an administrator reads it.

use crate::http::api::call::{Call, Listing, Reply, invalid, json};
use crate::http::error::Problem;
use crate::registry::error::Error;
use http::StatusCode;
use serde_json::Value;

/// The newest first; `last` is the id of the last one of the page before.
pub async fn list(call: &Call<'_>) -> Reply {
    call.gate()?; // who is open to everybody tells nobody of those who had accounts
    let page = call.page()?;
    let before = match &page.last {
        None => None,
        Some(id) => Some(id.parse::<u64>().map_err(|_| invalid("`last` is the id of an event"))?),
    };
    let audit = &call.door.registry.metadata.audit;
    let found =
        audit.newest(before, page.entries_max).await.map_err(|e| Problem::Rule(Error::Metadata(e)))?;
    let next =
        (found.len() == page.entries_max).then(|| found.last().map(|entry| entry.id.to_string())).flatten();
    let entries: Vec<Value> = found
        .iter()
        .filter_map(|entry| {
            let mut event: Value = serde_json::from_str(&entry.json).ok()?;
            event.as_object_mut()?.insert("id".into(), entry.id.into());
            Some(event)
        })
        .collect();
    json(StatusCode::OK, &Listing { entries, next })
}
