//! Which repository holds which blob, on an ordered key engine.

use crate::metadata::blobs::Blobs;
use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::{counts, keys, long, rows};
use crate::metadata::error::Result;
use crate::metadata::intents::IntentId;
use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use bytes::Bytes;
use std::ops::ControlFlow;

#[async_trait::async_trait]
impl Blobs for Database {
    async fn size(&self, repository: &Repository, digest: &Digest) -> Result<Option<u64>> {
        let key = keys::link(repository, digest);
        self.get(&key)?.map(|row| rows::read(&key, &row, rows::number)).transpose()
    }

    async fn absent(
        &self,
        repository: &Repository,
        blobs: &[Digest],
        manifests: &[Digest],
    ) -> Result<Vec<Digest>> {
        absent(|key| self.get(key), repository, (blobs, manifests))
    }

    async fn link(
        &self,
        repository: &Repository,
        digest: &Digest,
        size: u64,
        fulfilled: Option<IntentId>,
    ) -> Result<()> {
        let (repository, digest) = (repository.clone(), *digest);
        self.seen(move |transaction| {
            let key = keys::link(&repository, &digest);
            let row = size.to_le_bytes();
            let before = transaction.get(&key)?;
            if before.as_deref() != Some(row.as_slice()) {
                transaction.put(key, row.to_vec());
                transaction.put(keys::holder(&digest, &repository), row.to_vec());
            }
            if before.is_none() {
                counts::change(transaction, &repository, |mut counts| {
                    counts.blobs += 1;
                    counts
                })?;
            }
            fulfilled.map_or(Ok(()), |id| long::remove(transaction, keys::intent(id)))
        })
        .await
    }

    async fn unlink(
        &self,
        repository: &Repository,
        digest: &Digest,
        _under: Option<IntentId>,
    ) -> Result<bool> {
        let (repository, digest) = (repository.clone(), *digest);
        self.seen(move |transaction| {
            let key = keys::link(&repository, &digest);
            if transaction.get(&key)?.is_none() {
                return Ok(false);
            }
            transaction.remove(key);
            transaction.remove(keys::holder(&digest, &repository));
            counts::change(transaction, &repository, |mut counts| {
                counts.blobs = counts.blobs.saturating_sub(1);
                counts
            })?;
            Ok(true)
        })
        .await
    }

    async fn holders(
        &self,
        digest: &Digest,
        after: Option<&Repository>,
        count: usize,
    ) -> Result<Vec<(Repository, u64)>> {
        let prefix = keys::holders(digest);
        let from = after.map_or_else(|| prefix.clone(), |after| keys::next(keys::holder(digest, after)));
        let mut holders = Vec::new();
        self.each(&prefix, from, count, |(rest, row)| {
            if holders.len() == count {
                return Ok(ControlFlow::Break(()));
            }
            let key = [prefix.as_slice(), &rest].concat();
            let repository =
                keys::parsed(&rest).ok_or_else(|| rows::damaged(&key, "it names no repository"))?;
            holders.push((repository, rows::read(&key, &row, rows::number)?));
            Ok(ControlFlow::Continue(()))
        })
        .await?;
        Ok(holders)
    }
}

/// Which of these blobs and manifests the repository does not hold, with `get` for each row: each once, in their order.
pub fn absent(
    get: impl Fn(&[u8]) -> Result<Option<Bytes>>,
    repository: &Repository,
    (blobs, manifests): (&[Digest], &[Digest]),
) -> Result<Vec<Digest>> {
    let blobs = blobs.iter().map(|digest| (digest, keys::link(repository, digest)));
    let manifests = manifests.iter().map(|digest| (digest, keys::manifest(repository, digest)));
    let mut absent = Vec::new();
    for (digest, key) in blobs.chain(manifests) {
        if get(&key)?.is_none() && !absent.contains(digest) {
            absent.push(*digest);
        }
    }
    Ok(absent)
}
