//! Making names and facts agree again where an operation was cut short: by a crash, by a fault between two of its
//! steps, or because this process stood still for so long that others have settled what it was at.
//!
//! As long as the intent of an operation stands nothing of it was acknowledged, so either of the two places may be
//! followed; what matters is that both say the same. What storage holds is followed then (`settle.rs`): names are
//! durable, and facts may be lost with the power where the metadata is embedded. Once others have settled an operation
//! its names may be somebody else's, who was told that they stand: then the facts are followed (`repair.rs`), which
//! other processes have and which are durable wherever there are any. Costs as much as was under way, not as much as is stored.

use crate::metadata::error::Error as MetadataError;
use crate::metadata::intents::{Intent, IntentId, Settling};
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::registry::unsettled::{Left, Unsettled};
use crate::registry::{repair, settle, turns};
use futures_util::{StreamExt, stream};
use std::collections::BTreeSet;

/// What became of operations that were left under way.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Operations whose names and facts agree now.
    pub settled: usize,
    /// Those that could not be settled. That is told, and they stay: one damaged repository must not keep the others
    /// from being served.
    pub left: usize,
}

/// Settles all that was left under way by processes that are no more.
pub async fn all(registry: &Registry) -> Result<Recovered> {
    let mut left = BTreeSet::new();
    let settled = all_but(registry, &mut left).await?;
    Ok(Recovered { settled, left: left.len() })
}

/// The same, but for these, to which it adds those that could not be settled. Answers how many were.
pub async fn all_but(registry: &Registry, left: &mut BTreeSet<IntentId>) -> Result<usize> {
    const AT_ONCE: usize = 1024;
    const SIDE_BY_SIDE: usize = 32;
    let mut settled = 0;
    let mut synced = false;
    loop {
        let mut pending = registry.metadata.intents.pending(AT_ONCE + left.len()).await?;
        pending.retain(|(id, _)| !left.contains(id));
        if pending.is_empty() {
            return Ok(settled);
        }
        if !synced {
            // Names that they have written may still be on their way to the disk; facts must not overtake them.
            registry.storage.links.sync().await?;
            synced = true;
        }
        let ended = stream::iter(pending).map(|(id, intent)| async move {
            let Err(error) = end(registry, id, &intent, Settling::Handed).await else { return None };
            tell(&intent, &error);
            if matches!(error, Error::Metadata(MetadataError::Overtaken)) {
                // Another one goes on with it, and this one puts right what it has written too late.
                turns::put_off(registry, Unsettled { id, left: Left::Undo(intent) });
            }
            Some(id)
        });
        let ended: Vec<_> = ended.buffer_unordered(SIDE_BY_SIDE).collect().await;
        settled += ended.iter().filter(|unsettled| unsettled.is_none()).count();
        left.extend(ended.into_iter().flatten());
    }
}

/// Comes back to operations of this process that could not be settled when they failed.
pub async fn again(registry: &Registry) -> Recovered {
    let mut recovered = Recovered::default();
    for one in registry.unsettled.take() {
        if finish(registry, &one).await.is_ok() {
            recovered.settled += 1;
        } else {
            // It was told when it failed.
            recovered.left += 1;
            turns::put_off(registry, one);
        }
    }
    recovered
}

/// Hands on the answer of an operation; if it failed, its names and facts are made to agree first. `intent` tells all
/// names that it may have touched. Where even that fails, `again` comes back to it.
pub async fn after<T>(registry: &Registry, id: IntentId, intent: &Intent, answer: Result<T>) -> Result<T> {
    let left = match &answer {
        Ok(_) => return answer,
        // A refusal: the names stand already, and must not become facts.
        Err(Error::ContentAbsent(_)) => Left::Undo(intent.clone()),
        Err(_) => Left::Agree(intent.clone()),
    };
    let one = Unsettled { id, left };
    if let Err(error) = finish(registry, &one).await {
        tell(intent, &error);
        turns::put_off(registry, one);
    }
    answer
}

async fn finish(registry: &Registry, one: &Unsettled) -> Result<()> {
    match &one.left {
        Left::End => Ok(registry.metadata.intents.end(one.id).await?),
        Left::Agree(intent) => agree(registry, one.id, intent).await,
        Left::Undo(intent) => undo(registry, one.id, intent).await,
    }
}

/// Makes the names and the facts of an operation of this process agree, and ends its intent.
async fn agree(registry: &Registry, id: IntentId, intent: &Intent) -> Result<()> {
    // It may have been lost while it was being settled, or only an intent of one of its names.
    for _ in 0..2 {
        if !registry.metadata.intents.regain(id).await? {
            break;
        }
        registry.storage.links.sync().await?;
        match end(registry, id, intent, Settling::Begun).await {
            Err(Error::Metadata(MetadataError::Overtaken)) => {}
            ended => return ended,
        }
    }
    undo(registry, id, intent).await
}

/// Makes the names of an operation say what the facts say, and ends its intent, should that stand.
async fn undo(registry: &Registry, id: IntentId, intent: &Intent) -> Result<()> {
    let undone = repair::repair(registry, intent).await;
    if matches!(undone, Ok(()) | Err(Error::InTheWay)) {
        // Two that are to take away the same name would wait for each other's intents for ever. What is left to be
        // done is done under an intent of the name alone.
        registry.metadata.intents.end(id).await?;
    }
    undone
}

/// Settles an intent that stands, and ends it.
async fn end(registry: &Registry, id: IntentId, intent: &Intent, what: Settling) -> Result<()> {
    settle::settle(registry, id, intent, what).await?;
    Ok(registry.metadata.intents.end(id).await?)
}

fn tell(intent: &Intent, error: &Error) {
    tracing::error!(repository = %intent.repository, %error, "names and facts may differ until this is tried again");
}
