//! Drops what is left of uploads: their objects, and multipart uploads that were never completed.

use crate::oci::upload::UploadId;
use crate::storage::error::Result;
use crate::storage::layout;
use crate::storage::object::bucket::failed;
use crate::storage::object::uploads::checkpoint::{MARKER, Multipart};
use crate::storage::object::uploads::multipart;
use crate::storage::object::uploads::store::Uploads;
use futures_util::TryStreamExt;
use object_store::ObjectStoreExt;
use std::collections::HashMap;

/// Drops what was staged of an upload, by any process.
pub async fn discard(uploads: &Uploads, upload: UploadId) -> Result<()> {
    let objects = &uploads.objects;
    let folder = layout::staged(upload);
    let mut names = Vec::new();
    let mut listed = objects.bucket.below(&folder, None);
    while let Some(object) = listed.try_next().await? {
        let name = object.path.rsplit('/').next().filter(|_| !object.strange);
        names.extend(name.map(str::to_owned));
    }
    for marker in names.iter().filter(|name| name.ends_with(MARKER)) {
        // It stays with everything else until that has succeeded: nothing else tells of it.
        give_up(uploads, upload, marker).await?;
    }
    if names.is_empty() { Ok(()) } else { objects.remove(upload, names).await }
}

/// Gives up the multipart upload that a marker speaks of.
async fn give_up(uploads: &Uploads, upload: UploadId, marker: &str) -> Result<()> {
    let path = uploads.objects.at(upload, marker)?;
    let read = async { uploads.objects.bucket.objects.get(&path).await?.bytes().await };
    let text = match read.await {
        Ok(text) => text,
        Err(error) => return failed(path.as_ref(), error).map_or(Ok(()), Err),
    };
    let Ok(multipart) = serde_json::from_slice::<Multipart>(&text) else {
        tracing::warn!(marker = path.as_ref(), "a marker does not read, and is removed");
        return Ok(());
    };
    multipart::abort(&uploads.objects, upload, &multipart).await
}

/// Uploads of which nothing was written since `unix_secs`. Sweeps up what broken-off trials of that age left.
pub async fn before(uploads: &Uploads, unix_secs: u64) -> Result<Vec<UploadId>> {
    let bucket = &uploads.objects.bucket;
    let mut written: HashMap<UploadId, u64> = HashMap::new();
    let mut trials = Vec::new();
    let mut listed = bucket.below(layout::STAGING, None);
    while let Some(object) = listed.try_next().await? {
        let below = object.path.strip_prefix(layout::STAGING).and_then(|below| below.strip_prefix('/'));
        let Some(first) = below.filter(|_| !object.strange).and_then(|below| below.split('/').next()) else {
            continue; // nothing of ours
        };
        if first.starts_with(layout::TEMPORARY) {
            trials.extend((object.modified < unix_secs).then(|| object.path.clone()));
        } else if let Ok(upload) = first.parse() {
            let last = written.entry(upload).or_default();
            *last = object.modified.max(*last);
        }
    }
    for trial in trials {
        bucket.remove(&trial).await?;
    }
    Ok(written.into_iter().filter(|(_, last)| *last < unix_secs).map(|(upload, _)| upload).collect())
}
