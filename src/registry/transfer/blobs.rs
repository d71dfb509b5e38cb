//! Carries the bytes of a blob: read once, hashed as they flow, and not at all if the target has as many of them.

use crate::oci::digest::Digest;
use crate::oci::hasher;
use crate::oci::upload::UploadId;
use crate::registry::transfer::error::{Error, Result};
use crate::registry::transfer::parts::{Carried, Transfer};
use crate::registry::transfer::tally::Tally;
use crate::storage;
use crate::storage::blobs::{Blob, Sealed, Staged, Staging};
use crate::stream::ByteStream;
use bytes::BytesMut;
use futures_util::{StreamExt, TryStreamExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Up to so many bytes are gathered in memory and put in one go.
const SMALL: u64 = 256 << 10;
/// How often one blob is tried when an end does not answer, and how long to wait after the first failure; twice as long
/// after each further one.
const TRIES: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Sees to it that the target has a blob. Whoever asks for one that is on its way waits for it.
pub async fn carry(transfer: &Transfer, digest: &Digest) -> Result<Carried> {
    let cell = {
        let mut carried = transfer.carried.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(carried.entry(*digest).or_default())
    };
    let became = *cell.get_or_try_init(|| with_patience(transfer, digest)).await?;
    if became == Carried::Absent {
        // Somebody may push it before the next round.
        transfer.carried.lock().unwrap_or_else(PoisonError::into_inner).remove(digest);
    }
    Ok(became)
}

async fn with_patience(transfer: &Transfer, digest: &Digest) -> Result<Carried> {
    // Never closed, so there always is one sooner or later.
    let _place = transfer.places.acquire().await;
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match once(transfer, digest).await {
            Err(error) if may_pass(&error) => {
                tracing::warn!(%digest, %error, "a blob is tried again");
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            became => return became,
        }
    }
    once(transfer, digest).await
}

/// Whether the same may go well in a moment.
fn may_pass(error: &Error) -> bool {
    let (Error::Source(error) | Error::Target(error)) = error else { return false };
    !matches!(error, storage::error::Error::Full)
}

async fn once(transfer: &Transfer, digest: &Digest) -> Result<Carried> {
    let tally = &transfer.tally;
    let Some(size) = transfer.from.blobs.stat(digest).await.map_err(Error::Source)? else {
        return Ok(Carried::Absent);
    };
    if transfer.to.blobs.stat(digest).await.map_err(Error::Target)? == Some(size) {
        tally.blobs.add(1);
        tally.bytes.add(size);
        return Ok(Carried::There);
    }
    let Some(blob) = transfer.from.blobs.read(digest, 0, u64::MAX).await.map_err(Error::Source)? else {
        return Ok(Carried::Absent);
    };
    let flowed = Arc::new(Flowed { tally: Arc::clone(tally), bytes: AtomicU64::new(0) });
    let copied = if blob.size <= SMALL {
        small(transfer, digest, blob, &flowed).await
    } else {
        large(transfer, digest, blob, &flowed).await
    };
    if matches!(copied, Ok(Carried::There)) {
        tally.blobs.add(1);
        tally.blobs_copied.add(1);
    } else {
        flowed.take_back();
    }
    copied
}

async fn small(transfer: &Transfer, digest: &Digest, blob: Blob, flowed: &Arc<Flowed>) -> Result<Carried> {
    let mut bytes = BytesMut::with_capacity(usize::try_from(blob.size).unwrap_or(0));
    let mut pieces = counted(blob.bytes, flowed);
    while let Some(piece) = pieces.try_next().await.map_err(|e| broken(digest, e))? {
        bytes.extend_from_slice(&piece);
    }
    let bytes = bytes.freeze();
    if hasher::digest(digest.algorithm(), &bytes) != *digest {
        return Ok(Carried::Torn);
    }
    transfer.to.blobs.put(digest, bytes).await.map_err(Error::Target)?;
    Ok(Carried::There)
}

async fn large(transfer: &Transfer, digest: &Digest, blob: Blob, flowed: &Arc<Flowed>) -> Result<Carried> {
    let upload = UploadId::random();
    let staging = Staging {
        upload,
        offset: 0,
        algorithm: digest.algorithm(),
        checkpoint: None,
        known: Some(*digest),
        shown_each: None,
    };
    let ended = staged(transfer, staging, digest, counted(blob.bytes, flowed)).await;
    if !matches!(ended, Ok(Carried::There)) {
        // What cannot be dropped now is dropped by the target when it is old.
        drop(transfer.to.blobs.discard(upload).await);
    }
    ended
}

async fn staged(transfer: &Transfer, staging: Staging, digest: &Digest, body: ByteStream) -> Result<Carried> {
    let Staged { size, cut, checkpoint } =
        transfer.to.blobs.stage(staging, body).await.map_err(Error::Target)?;
    if let Some(cut) = cut {
        return Err(broken(digest, cut));
    }
    let staging = Staging { offset: size, checkpoint, ..staging };
    match transfer.to.blobs.seal(staging, digest).await.map_err(Error::Target)? {
        Sealed::Stored { .. } => Ok(Carried::There),
        Sealed::Mismatch { .. } => Ok(Carried::Torn),
    }
}

fn broken(digest: &Digest, error: std::io::Error) -> Error {
    Error::Source(storage::error::Error::at(digest.to_string(), error))
}

/// Bytes of one try, so that they can be taken back if it fails.
struct Flowed {
    tally: Arc<Tally>,
    bytes: AtomicU64,
}

impl Flowed {
    fn take_back(&self) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        self.tally.bytes.take_back(bytes);
        self.tally.bytes_copied.take_back(bytes);
    }
}

fn counted(body: ByteStream, flowed: &Arc<Flowed>) -> ByteStream {
    let flowed = Arc::clone(flowed);
    body.inspect_ok(move |piece| {
        let bytes = piece.len() as u64;
        flowed.bytes.fetch_add(bytes, Ordering::Relaxed);
        flowed.tally.bytes.add(bytes);
        flowed.tally.bytes_copied.add(bytes);
    })
    .boxed()
}
