//! Writes down what happened: into the audit trail, and as a line of the log. Equal events of a moment become one with
//! a count, so that a machine that pulls a thousand times a second is not a thousand rows.

use crate::clock::Clock;
use crate::events::event::{Event, What};
use crate::events::queue::Queue;
use crate::metadata::open::Metadata;
use crate::workers::lease::Lease;
use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// How long equal events are gathered.
const MOMENT: Duration = Duration::from_secs(1);
/// Different events that are gathered at most.
const GATHERED_MAX: usize = 4096;
/// How often old events are dropped, in moments.
const TRIM_EVERY: u64 = 600;
/// How long other processes wait for one that drops them and says nothing more.
const TERM: Duration = Duration::from_mins(15);

/// `[audit]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Days for which events are kept.
    pub keep_days: u64,
    /// Events that are kept at most.
    pub events_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { keep_days: 90, events_max: 200_000 }
    }
}

/// An event as it is kept.
#[derive(Serialize)]
struct Kept<'a> {
    at_millis: u64,
    what: What,
    who: &'a str,
    object: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    count: u64,
}

/// Where events go.
pub struct Trail {
    /// Where the trail stands, and who drops what is old of it.
    pub metadata: Metadata,
    /// The queue, for what found no room in it.
    pub queue: Arc<Queue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub config: Config,
}

/// Writes events until `stop` is done, and then those that still wait.
pub async fn run(trail: Trail, mut events: Receiver<Event>, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop.fuse());
    let lease = Lease::new(&trail.metadata, &trail.clock, "audit trail", TERM);
    let mut gathered: HashMap<Event, (u64, u64)> = HashMap::new();
    let mut order: Vec<Event> = Vec::new();
    let mut budget = Budget(Budget::MAX);
    let mut ticks = tokio::time::interval(MOMENT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut moment, mut trimmed, mut written) = (TRIM_EVERY, 0, 0);
    loop {
        let ended = tokio::select! {
            event = events.recv() => match event {
                Some(event) => {
                    gather(&mut gathered, &mut order, &mut budget, (event, trail.clock.unix_millis()));
                    if order.len() < GATHERED_MAX {
                        continue;
                    }
                    false
                }
                None => true,
            },
            _ = ticks.tick() => {
                moment += 1;
                budget.refill();
                false
            }
            () = &mut stop => {
                events.close(); // what waits in it still comes out
                continue;
            }
        };
        written += order.len() as u64;
        if !order.is_empty() {
            write(&trail, &mut gathered, &mut order).await;
        }
        if ended {
            return lease.give_back().await;
        }
        // Sooner under a flood, so that it does not fill the disk meanwhile.
        if moment >= trimmed + TRIM_EVERY || written > trail.config.events_max / 8 + GATHERED_MAX as u64 {
            (trimmed, written) = (moment, 0);
            trim(&trail, &lease).await;
        }
    }
}

/// How many refusals are told one by one: a stranger can make as many as they like, each a little different, and must
/// not wash away with them what others have done. Beyond it they are one event a moment, with a count.
struct Budget(u32);

impl Budget {
    const MAX: u32 = 1000;

    fn refill(&mut self) {
        self.0 = (self.0 + 1).min(Self::MAX);
    }

    fn spend(&mut self, event: Event) -> Event {
        if !matches!(event.what, What::LoginRefused | What::AccessRefused) {
            return event;
        }
        if self.0 > 0 {
            self.0 -= 1;
            return event;
        }
        let detail = "too many to be told one by one".to_owned();
        Event { what: event.what, who: String::new(), object: String::new(), detail, address: None }
    }
}

fn gather(
    gathered: &mut HashMap<Event, (u64, u64)>,
    order: &mut Vec<Event>,
    budget: &mut Budget,
    (event, at): (Event, u64),
) {
    if let Some((_, count)) = gathered.get_mut(&event) {
        *count += 1;
        return;
    }
    let event = budget.spend(event);
    if let Some((_, count)) = gathered.get_mut(&event) {
        *count += 1;
        return;
    }
    order.push(event.clone());
    gathered.insert(event, (at, 1));
}

async fn write(trail: &Trail, gathered: &mut HashMap<Event, (u64, u64)>, order: &mut Vec<Event>) {
    let mut rows = Vec::with_capacity(order.len());
    for event in order.drain(..) {
        let (at_millis, count) = gathered.remove(&event).unwrap_or((0, 1));
        let kept = Kept {
            at_millis,
            what: event.what,
            who: &event.who,
            object: &event.object,
            detail: &event.detail,
            address: event.address,
            count,
        };
        let Ok(json) = serde_json::to_string(&kept) else { continue };
        tracing::info!(
            target: "audit",
            what = ?kept.what,
            who = kept.who,
            object = kept.object,
            detail = kept.detail,
            address = kept.address.map(tracing::field::display),
            count,
        );
        rows.push((at_millis, json));
    }
    if let Err(error) = trail.metadata.audit.append(rows).await {
        tracing::error!(%error, "events could not be kept; they stand in the log");
    }
    let dropped = trail.queue.take_dropped();
    if dropped > 0 {
        tracing::warn!(dropped, "more events came than could be written down");
    }
}

async fn trim(trail: &Trail, lease: &Lease) {
    let oldest =
        trail.clock.unix_millis().saturating_sub(trail.config.keep_days.saturating_mul(24 * 3600 * 1000));
    while lease.take().await {
        match trail.metadata.audit.trim(oldest, trail.config.events_max).await {
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => return,
            Err(error) => {
                tracing::error!(%error, "old events could not be dropped");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(who: usize) -> Event {
        let (what, object, detail) = (What::LoginRefused, String::new(), String::new());
        Event { what, who: format!("u{who}"), object, detail, address: None }
    }

    #[test]
    fn a_flood_of_refusals_becomes_one_event_and_hides_no_change() {
        let (mut gathered, mut order, mut budget) = (HashMap::new(), Vec::new(), Budget(3));
        for who in 0..10 {
            gather(&mut gathered, &mut order, &mut budget, (refusal(who), 1));
        }
        let change = Event { what: What::Change, ..refusal(99) };
        gather(&mut gathered, &mut order, &mut budget, (change.clone(), 2));
        assert_eq!(order.len(), 5, "three, the rest as one, and the change");
        assert_eq!(gathered[&order[3]], (1, 7));
        assert!(order[3].who.is_empty() && order[4] == change);
        budget.refill();
        gather(&mut gathered, &mut order, &mut budget, (refusal(50), 3));
        assert_eq!(order[5].who, "u50");
    }
}
