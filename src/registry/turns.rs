//! Whose turn it is: an intent is also this process's place among those that share the metadata. It is waited for,
//! asked for again before each step that storage could not refuse, and lost by whoever stands still for too long.

use crate::metadata::error::Error as MetadataError;
use crate::metadata::intents::{Begun, Intent, IntentId, Settling};
use crate::oci::repository::Repository;
use crate::read_only::Refused;
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::registry::unsettled::{Left, Unsettled};
use crate::storage::links::Name;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked for what other processes have left, and for what this one could not settle (`recover.rs`).
pub const SETTLED_EVERY: Duration = Duration::from_secs(2);
/// How long a name is waited for that is to be put right: whoever waits holds a lock of this process, and may come back.
const NAME_WAIT: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// What may happen to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It, or the fact of it, may come to be.
    Adding,
    /// It may also go away.
    Removing,
}

/// Begins an operation on names, once no other process has them under its hands.
pub async fn begin(registry: &Registry, intent: &Intent) -> Result<IntentId> {
    // One that has died is in the way until its lease has ended, and it was found by two looks at most.
    let term = registry.metadata.shared.as_ref().map_or(Duration::ZERO, |shared| shared.term);
    wait(registry, intent, None, term + 2 * SETTLED_EVERY).await
}

/// Begins to put one name right, so that nobody else changes it at the same time. `settling`: because of which intent.
pub async fn begin_name(
    registry: &Registry,
    repository: &Repository,
    name: &Name,
    doing: Doing,
    settling: Option<Settling>,
) -> Result<IntentId> {
    let mut intent = Intent {
        repository: repository.clone(),
        blobs: vec![],
        manifests: vec![],
        tags: vec![],
        removing: doing == Doing::Removing,
    };
    match name {
        Name::Layer(digest) => intent.blobs.push(*digest),
        Name::Revision(digest) => intent.manifests.push(*digest),
        Name::Tag(tag) => intent.tags.push(tag.clone()),
    }
    wait(registry, &intent, settling, NAME_WAIT).await
}

/// Whether it is still this process's turn: to be asked before names in storage are touched, which cannot be refused to
/// a process that has stood still for too long.
pub fn stands(registry: &Registry, id: IntentId) -> Result<()> {
    if !registry.may_change() {
        return Err(Error::Unclaimed);
    }
    if registry.metadata.intents.holds(id) { Ok(()) } else { Err(MetadataError::Overtaken.into()) }
}

/// Ends an intent under which nothing was done, or all. Where the metadata does not answer it is ended later: others
/// wait for it.
pub async fn end(registry: &Registry, id: IntentId) {
    if registry.metadata.intents.end(id).await.is_err() {
        put_off(registry, Unsettled { id, left: Left::End });
    }
}

/// Leaves an operation for later: to `recover::again`, or, when that has its hands full, to whoever settles what other
/// processes have left.
pub fn put_off(registry: &Registry, one: Unsettled) {
    let id = one.id;
    if !registry.unsettled.add(one) {
        registry.metadata.intents.leave(id);
    }
}

async fn wait(
    registry: &Registry,
    intent: &Intent,
    settling: Option<Settling>,
    patience: Duration,
) -> Result<IntentId> {
    if !registry.may_change() {
        return Err(Error::Unclaimed);
    }
    let id = IntentId::random();
    let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
    let intents = &registry.metadata.intents;
    loop {
        let begun = match settling {
            None => intents.begin(id, intent).await,
            Some(what) => intents.begin_settling(id, intent, what).await,
        };
        match begun {
            Ok(Begun::Stands) => return Ok(id),
            Ok(Begun::InTheWay) if began.elapsed() > patience => return Err(Error::InTheWay),
            Ok(Begun::InTheWay) => {}
            Ok(Begun::Held) => return Err(Refused::ForNow.into()),
            Err(error) => {
                // It may stand all the same, and nothing will come of it.
                end(registry, id).await;
                return Err(error.into());
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
