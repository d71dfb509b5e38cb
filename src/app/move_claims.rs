//! The claims that a move holds for as long as it runs: on the storage that it writes, so that nobody serves or fills it
//! meanwhile, and on the one that it reads, unless a server holds that.

use crate::metadata::open::Metadata;
use crate::storage;
use crate::storage::claim::{Claim, Claimed, Holder, Kind, TERM};
use crate::storage::open::Storage;
use std::sync::Arc;
use std::time::Duration;

/// How often they are renewed.
const INTERVAL: Duration = Duration::from_secs(TERM.as_secs() / 3);

/// Why a storage cannot be claimed for a move. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Unclaimed {
    /// It could not be asked.
    #[error("the claim on the storage of the {0}: {1}")]
    Storage(&'static str, storage::error::Error),
    /// The metadata could not be asked.
    #[error("the metadata of the {0} cannot be used: {1}")]
    Metadata(&'static str, crate::metadata::error::Error),
    /// Another registry has it.
    #[error("the storage of the {0} belongs to {1}: stop that one first")]
    Theirs(&'static str, Holder),
    /// Another one had it.
    #[error(
        "the metadata of the {0} is older than its storage, which was served since by {1}: move that one, or start this \
         one first, which makes its metadata again"
    )]
    Outdated(&'static str, Holder),
    /// It was ours.
    #[error("the claim on the storage of the {0} was lost; run the same command again")]
    Lost(&'static str),
}

/// Claims on storages.
#[derive(Default)]
pub struct Claims(Vec<One>);

struct One {
    end: &'static str,
    holder: Holder,
    claim: Arc<dyn Claim>,
}

impl Claims {
    /// Claims the storage of an end as `holder`. With `whole` nobody else may have had it since.
    pub async fn take(
        &mut self,
        end: &'static str,
        storage: &Storage,
        holder: Holder,
        whole: bool,
    ) -> Result<(), Unclaimed> {
        let taken = storage.claim.take(&holder, whole).await;
        match taken.map_err(|error| Unclaimed::Storage(end, error))? {
            Claimed::Ours => {
                self.0.push(One { end, holder, claim: Arc::clone(&storage.claim) });
                Ok(())
            }
            Claimed::Theirs(other) => Err(Unclaimed::Theirs(end, other)),
            Claimed::Outdated(other) => Err(Unclaimed::Outdated(end, other)),
        }
    }

    /// Claims the storage of the source beside whoever shares its metadata; for whoever knows that no server holds it.
    pub async fn take_source(
        &mut self,
        storage: &Storage,
        holder: Holder,
        metadata: &Metadata,
    ) -> Result<(), Unclaimed> {
        let whole = metadata.completeness.is_complete().await;
        let whole = whole.map_err(|error| Unclaimed::Metadata("source", error))?;
        self.take("source", storage, holder, whole).await
    }

    /// Renews them for as long as it is polled; answers when one is lost.
    pub async fn keep(&self) -> Unclaimed {
        loop {
            tokio::time::sleep(INTERVAL).await;
            for one in &self.0 {
                match one.claim.renew().await {
                    Ok(Claimed::Ours) => {}
                    Err(_) if one.claim.stands() => {} // it is tried again
                    _ => return Unclaimed::Lost(one.end),
                }
            }
        }
    }

    /// Whether all of them are ours now.
    pub fn stand(&self) -> Result<(), Unclaimed> {
        match self.0.iter().find(|one| !one.claim.stands()) {
            Some(one) => Err(Unclaimed::Lost(one.end)),
            None => Ok(()),
        }
    }

    /// Gives them up. One that others share is not ours alone to give up; it ends by itself.
    pub async fn release(&self) {
        for one in self.0.iter().filter(|one| one.holder.kind == Kind::Embedded) {
            if let Err(error) = one.claim.release().await {
                tracing::debug!(%error, "a claim could not be given up; it ends by itself");
            }
        }
    }
}
