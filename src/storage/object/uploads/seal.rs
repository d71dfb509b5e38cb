//! Staged bytes find their place under their digest. Whatever shows there was hashed first: a small blob is put from
//! memory, a large one becomes an object of the upload, or of its own place if that was known, and is then copied.

use crate::oci::digest::Digest;
use crate::oci::hasher::Hasher;
use crate::storage::blobs::{Sealed, Staging};
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::object::bucket::failed;
use crate::storage::object::uploads::checkpoint::{Multipart, State};
use crate::storage::object::uploads::hashing::hashed;
use crate::storage::object::uploads::store::Uploads;
use crate::storage::object::uploads::{copy, load, multipart};
use bytes::Bytes;
use object_store::{ObjectStoreExt, PutPayload};

/// Puts what was staged under `digest`, if it is that.
pub async fn seal(uploads: &Uploads, staging: Staging, digest: &Digest) -> Result<Sealed> {
    let Staging { upload, offset, checkpoint, .. } = staging;
    let objects = &uploads.objects;
    let state = match offset {
        0 => State::empty(digest.algorithm()),
        _ => load::state(objects, upload, checkpoint, offset).await?,
    };
    // What goes away with the upload. Whatever else other processes have left is swept later.
    let mut spent: Vec<String> = checkpoint.iter().map(ToString::to_string).collect();
    spent.extend(state.pieces.iter().map(|piece| piece.name.clone()));
    spent.extend(state.spent.iter().cloned());
    spent.sort_unstable();
    spent.dedup();
    let sealed = match state.multipart.clone() {
        None => small(uploads, staging, state, digest).await?,
        Some(multipart) => {
            spent.push(multipart.marker());
            if multipart.known.is_none() {
                spent.push(multipart.data());
            }
            large(uploads, staging, state, multipart, digest).await?
        }
    };
    if matches!(sealed, Sealed::Stored { .. }) {
        objects.clear(upload, spent).await;
    }
    Ok(sealed)
}

/// Puts a blob that is in no parts. The very bytes are hashed that are put.
async fn small(uploads: &Uploads, staging: Staging, mut state: State, digest: &Digest) -> Result<Sealed> {
    let Staging { upload, offset, .. } = staging;
    let _room = uploads.large.take(state.pieces_bytes()).await?;
    let pieces = load::cut(&uploads.objects, upload, &mut state, offset).await?;
    let actual = match digest.algorithm() == state.hasher.algorithm() {
        true => state.hasher,
        false => hashed(Hasher::new(digest.algorithm()), pieces.clone()).await?,
    };
    let actual = actual.finish();
    if actual != *digest {
        return Ok(Sealed::Mismatch { actual });
    }
    let path = uploads.objects.bucket.at(&layout::blob(digest))?;
    let put = uploads.objects.bucket.objects.put(&path, pieces.into_iter().collect::<PutPayload>()).await;
    put.map_err(|e| failed(path.as_ref(), e).unwrap_or(Error::StagedLost))?;
    Ok(Sealed::Stored { size: offset })
}

/// Completes a blob in parts, and copies it to its place unless it is there.
async fn large(
    uploads: &Uploads,
    staging: Staging,
    mut state: State,
    multipart: Multipart,
    digest: &Digest,
) -> Result<Sealed> {
    let Staging { upload, offset, .. } = staging;
    let objects = &uploads.objects;
    let room = uploads.large.take(state.pieces_bytes()).await?;
    let last = last(uploads, staging, &mut state).await?;
    let said = state.hasher.algorithm() == digest.algorithm();
    if said {
        let actual = state.hasher.finish();
        if actual != *digest {
            return Ok(Sealed::Mismatch { actual });
        }
    }
    if multipart.known.is_some_and(|known| known != *digest) {
        // It can become an object only at the place of another blob.
        return Err(Error::StagedLost);
    }
    multipart::complete(objects, upload, &multipart, last, offset).await?;
    drop(room);
    if multipart.known.is_some() {
        return Ok(Sealed::Stored { size: offset });
    }
    let from = multipart.place(upload);
    if !said {
        // The multipart upload is no more, and the marker would call for it.
        objects.clear(upload, vec![multipart.marker()]).await;
        let actual = load::digest(objects, &objects.bucket.at(&from)?, digest.algorithm()).await?;
        if actual != *digest {
            return Ok(Sealed::Mismatch { actual });
        }
    }
    copy::to_its_place(uploads, upload, &from, digest, offset, multipart.part_bytes).await?;
    Ok(Sealed::Stored { size: offset })
}

/// The bytes behind the parts, and the hash with them. The caller has the memory.
async fn last(uploads: &Uploads, staging: Staging, state: &mut State) -> Result<Vec<Bytes>> {
    if staging.offset == state.offset {
        return load::pieces(&uploads.objects, staging.upload, &state.pieces).await;
    }
    load::cut(&uploads.objects, staging.upload, state, staging.offset).await
}
