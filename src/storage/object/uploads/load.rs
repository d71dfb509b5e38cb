//! Reads what stands of an upload: its checkpoint, bytes that are in no part yet, and all of it where its digest is not
//! known otherwise.

use crate::oci::digest::{Algorithm, Digest};
use crate::oci::hasher::Hasher;
use crate::oci::upload::{Checkpoint, UploadId};
use crate::storage::error::{Error, Result};
use crate::storage::object::bucket::failed;
use crate::storage::object::uploads::checkpoint::{Piece, State, head_bytes};
use crate::storage::object::uploads::hashing::{Hashing, hashed};
use crate::storage::object::uploads::objects::Objects;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;

/// So many pieces are read at once.
const AT_ONCE: usize = 8;

/// What a checkpoint says, if it reaches to `offset`.
pub async fn state(
    objects: &Objects,
    upload: UploadId,
    checkpoint: Option<Checkpoint>,
    offset: u64,
) -> Result<State> {
    let name = checkpoint.ok_or(Error::StagedLost)?.to_string();
    let mut beginning = objects.beginning(upload, &name).await?;
    let unread = || {
        tracing::warn!(%upload, checkpoint = name, "a checkpoint does not read: the upload begins again");
        Error::StagedLost
    };
    let head = head_bytes(&beginning).ok_or_else(unread)?;
    if beginning.len() < head {
        beginning = objects.range(upload, &name, 0, head as u64).await?;
    }
    let state = beginning.get(..head).and_then(|head| State::decode(&name, head)).ok_or_else(unread)?;
    if state.offset < offset { Err(Error::StagedLost) } else { Ok(state) }
}

/// The bytes of pieces, in order. The caller has the memory.
pub async fn pieces(objects: &Objects, upload: UploadId, pieces: &[Piece]) -> Result<Vec<Bytes>> {
    let read =
        |piece: Piece| async move { objects.range(upload, &piece.name, piece.from, piece.bytes).await };
    let reads: Vec<_> = pieces.iter().cloned().map(read).collect();
    futures_util::stream::iter(reads).buffered(AT_ONCE).try_collect().await
}

/// Sets an upload back to `offset`, and answers its bytes behind the parts. The caller has the memory.
pub async fn cut(objects: &Objects, upload: UploadId, state: &mut State, offset: u64) -> Result<Vec<Bytes>> {
    let mut left = offset.checked_sub(state.parts_bytes()).ok_or(Error::StagedLost)?;
    let mut kept = Vec::new();
    for mut piece in pieces(objects, upload, &state.pieces).await? {
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= piece.len() as u64;
        kept.push(piece);
    }
    state.hasher = hashed(state.aligned.clone(), kept.clone()).await?;
    state.offset = offset;
    let names = state.pieces.drain(..).map(|piece| piece.name);
    state.spent.extend(names);
    Ok(kept)
}

/// The digest of an object, which is read for that.
pub async fn digest(objects: &Objects, at: &Path, algorithm: Algorithm) -> Result<Digest> {
    let lost = |e| failed(at.as_ref(), e).unwrap_or(Error::StagedLost);
    let mut bytes = objects.bucket.objects.get(at).await.map_err(lost)?.into_stream();
    let mut hashing = Hashing::new(Hasher::new(algorithm));
    while let Some(chunk) = bytes.try_next().await.map_err(lost)? {
        hashing.take(vec![chunk]).await?;
    }
    Ok(hashing.settle().await?.finish())
}
