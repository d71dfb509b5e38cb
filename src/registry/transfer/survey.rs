//! What there is to be carried, so that it can be told how long it takes.

use crate::oci::digest::Digest;
use crate::registry::transfer::error::{Error, Result};
use crate::registry::transfer::names;
use crate::registry::transfer::parts::Transfer;
use crate::storage::links::FoundRepository;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::HashSet;

/// Blobs whose size is asked for side by side.
const AT_ONCE: usize = 64;

/// Counts what the source holds.
pub async fn survey(transfer: &Transfer) -> Result<()> {
    let total = &transfer.tally.total;
    let mut seen: HashSet<Digest> = HashSet::new();
    for found in transfer.from.links.repositories().await.map_err(Error::Source)? {
        let FoundRepository::Repository(repository) = found else { continue };
        total.repositories.add(1);
        let names = names::read(&transfer.from, &repository, &mut |_, _| {}).await.map_err(Error::Source)?;
        let fresh: Vec<Digest> =
            names.layers.union(&names.revisions).copied().filter(|digest| seen.insert(*digest)).collect();
        stream::iter(fresh)
            .map(Ok::<_, Error>)
            .try_for_each_concurrent(AT_ONCE, |digest| async move {
                if let Some(size) = transfer.from.blobs.stat(&digest).await.map_err(Error::Source)? {
                    total.blobs.add(1);
                    total.bytes.add(size);
                }
                Ok(())
            })
            .await?;
    }
    Ok(())
}
