//! Multipart uploads: begun, filled, completed or given up. One that was begun has a marker beside it, so that it is
//! found and given up even if no checkpoint ever speaks of it. One whose marker was not written any more holds no part:
//! it costs nothing, and a rule of the bucket that ends old ones takes it away.

use crate::oci::digest::Digest;
use crate::oci::upload::{Checkpoint, UploadId};
use crate::storage::error::{Error, Result};
use crate::storage::object::bucket::failed;
use crate::storage::object::uploads::checkpoint::Multipart;
use crate::storage::object::uploads::objects::Objects;
use bytes::Bytes;
use object_store::multipart::PartId;
use object_store::{ObjectStoreExt, PutPayload};

/// So many parts an object may have.
pub const PARTS_MAX: u64 = 10_000;

/// What an object store says of a multipart upload or a part that is not there, or is another one than was said.
const GONE: [&str; 3] = ["NoSuchUpload", "InvalidPart", "InvalidBlockList"];

/// Begins one.
pub async fn begin(
    objects: &Objects,
    upload: UploadId,
    part_bytes: u64,
    known: Option<Digest>,
) -> Result<Multipart> {
    let name = Checkpoint::random().to_string();
    let mut multipart = Multipart { name, id: String::new(), part_bytes, known, parts: vec![] };
    let path = objects.bucket.at(&multipart.place(upload))?;
    let id = objects.bucket.parts.create_multipart(&path).await;
    multipart.id = id.map_err(|e| failed(path.as_ref(), e).unwrap_or(Error::StagedLost))?;
    if let Err(error) = mark(objects, upload, &multipart).await {
        // The error that matters is the first.
        abort(objects, upload, &multipart).await.ok();
        return Err(error);
    }
    Ok(multipart)
}

/// Writes the marker of one.
async fn mark(objects: &Objects, upload: UploadId, multipart: &Multipart) -> Result<()> {
    let text = serde_json::to_vec(&multipart.without_parts());
    let text = text.map_err(|e| Error::at("a marker", std::io::Error::other(e)))?;
    objects.put(upload, &multipart.marker(), text.into(), vec![]).await
}

/// Puts a part, and answers what the bucket calls it.
pub async fn put_part(
    objects: &Objects,
    upload: UploadId,
    multipart: &Multipart,
    nth: usize,
    bytes: PutPayload,
) -> Result<String> {
    let path = objects.bucket.at(&multipart.place(upload))?;
    let put = objects.bucket.parts.put_part(&path, &multipart.id, nth, bytes).await;
    Ok(put.map_err(|e| refused(path.as_ref(), e))?.content_id)
}

/// Makes an object of `size` bytes of it, whose last part is `last` if that is not empty.
///
/// An answer may get lost, or the process that has asked for it: then the object stands there, and the multipart upload
/// is gone. That counts as well.
pub async fn complete(
    objects: &Objects,
    upload: UploadId,
    multipart: &Multipart,
    last: Vec<Bytes>,
    size: u64,
) -> Result<()> {
    let path = objects.bucket.at(&multipart.place(upload))?;
    let completed = async {
        let mut parts = multipart.parts.clone();
        if last.iter().any(|piece| !piece.is_empty()) {
            let last = last.into_iter().collect();
            parts.push(put_part(objects, upload, multipart, parts.len(), last).await?);
        }
        let parts = parts.into_iter().map(|content_id| PartId { content_id }).collect();
        let completed = objects.bucket.parts.complete_multipart(&path, &multipart.id, parts).await;
        completed.map_err(|e| refused(path.as_ref(), e))
    };
    let Err(error) = completed.await else { return Ok(()) };
    match objects.bucket.objects.head(&path).await {
        Ok(there) if there.size == size => {
            // At the place of a blob it may be another's.
            if multipart.known.is_some() {
                abort(objects, upload, multipart).await?;
            }
            Ok(())
        }
        Ok(_) => Err(error),
        // Whether it stands there is not known; that it does not is.
        Err(unseen) => Err(failed(path.as_ref(), unseen).unwrap_or(error)),
    }
}

/// Gives it up. One that is gone is given up already.
pub async fn abort(objects: &Objects, upload: UploadId, multipart: &Multipart) -> Result<()> {
    let path = objects.bucket.at(&multipart.place(upload))?;
    match objects
        .bucket
        .parts
        .abort_multipart(&path, &multipart.id)
        .await
        .map_err(|e| refused(path.as_ref(), e))
    {
        Ok(()) | Err(Error::StagedLost) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What a failure means where a multipart upload is asked for.
pub fn refused(what: &str, error: object_store::Error) -> Error {
    let text = error.to_string();
    if GONE.iter().any(|code| text.contains(code)) {
        return Error::StagedLost;
    }
    failed(what, error).unwrap_or(Error::StagedLost)
}
