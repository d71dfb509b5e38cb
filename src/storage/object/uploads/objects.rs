//! The objects of uploads: written once under random names, read, removed. The beginnings of the youngest are remembered,
//! so that small uploads are not read back by the process that has just written them. That needs no care: what stands
//! under a name never changes.

use crate::oci::upload::UploadId;
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::object::bucket::{Bucket, failed};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use moka::sync::Cache;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload};
use std::time::Duration;

/// Larger objects are not remembered whole.
const REMEMBERED_BYTES: usize = 4 << 20;
/// So long an object is remembered that nobody asks for.
const REMEMBERED_IDLE: Duration = Duration::from_mins(1);
/// What is read of an object to learn what it is.
const BEGINNING_BYTES: u64 = 64 << 10;

/// Objects of uploads.
pub struct Objects {
    /// Where they are.
    pub bucket: Bucket,
    remembered: Cache<String, Bytes>,
}

impl Objects {
    /// Objects in a bucket, of which so many bytes are remembered.
    pub fn new(bucket: Bucket, remembered_bytes: u64) -> Self {
        let weight =
            |name: &String, bytes: &Bytes| u32::try_from(name.len() + bytes.len()).unwrap_or(u32::MAX);
        let remembered = Cache::builder().max_capacity(remembered_bytes).weigher(weight);
        Self { bucket, remembered: remembered.time_to_idle(REMEMBERED_IDLE).build() }
    }

    /// Where an object of an upload is.
    pub fn at(&self, upload: UploadId, name: &str) -> Result<Path> {
        self.bucket.at(&layout::staged_object(upload, name))
    }

    /// Writes an object.
    pub async fn put(&self, upload: UploadId, name: &str, head: Bytes, pieces: Vec<Bytes>) -> Result<()> {
        let whole = head.len() + pieces.iter().map(Bytes::len).sum::<usize>();
        let (payload, beginning) = if whole <= REMEMBERED_BYTES {
            let mut joined = BytesMut::with_capacity(whole);
            joined.extend_from_slice(&head);
            for piece in &pieces {
                joined.extend_from_slice(piece);
            }
            let joined = joined.freeze();
            (PutPayload::from(joined.clone()), joined)
        } else {
            (std::iter::once(head.clone()).chain(pieces).collect(), head)
        };
        let path = self.at(upload, name)?;
        let put = self.bucket.objects.put(&path, payload).await;
        put.map_err(|e| failed(path.as_ref(), e).unwrap_or(Error::StagedLost))?;
        self.remembered.insert(name.to_owned(), beginning);
        Ok(())
    }

    /// The first bytes of an object, which are all of a small one.
    pub async fn beginning(&self, upload: UploadId, name: &str) -> Result<Bytes> {
        if let Some(beginning) = self.remembered.get(name) {
            return Ok(beginning);
        }
        let path = self.at(upload, name)?;
        let range = Some(GetRange::Bounded(0..BEGINNING_BYTES));
        let read = async {
            self.bucket
                .objects
                .get_opts(&path, GetOptions { range, ..GetOptions::default() })
                .await?
                .bytes()
                .await
        };
        let beginning = read.await.map_err(|e| failed(path.as_ref(), e).unwrap_or(Error::StagedLost))?;
        self.remembered.insert(name.to_owned(), beginning.clone());
        Ok(beginning)
    }

    /// So many bytes of an object; all of them, or `Error::StagedLost`.
    pub async fn range(&self, upload: UploadId, name: &str, from: u64, bytes: u64) -> Result<Bytes> {
        let (start, end) = (from as usize, (from + bytes) as usize);
        if let Some(beginning) = self.remembered.get(name)
            && beginning.len() >= end
        {
            return Ok(beginning.slice(start..end));
        }
        let path = self.at(upload, name)?;
        let read = self.bucket.objects.get_range(&path, from..from + bytes).await;
        let read = read.map_err(|e| failed(path.as_ref(), e).unwrap_or(Error::StagedLost))?;
        if read.len() as u64 == bytes { Ok(read) } else { Err(Error::StagedLost) }
    }

    /// Removes objects, those that are there.
    pub async fn remove(&self, upload: UploadId, names: Vec<String>) -> Result<()> {
        let mut paths = Vec::with_capacity(names.len());
        for name in names {
            paths.push(Ok(self.at(upload, &name)?));
            self.remembered.invalidate(&name);
        }
        let mut removed = self.bucket.objects.delete_stream(futures_util::stream::iter(paths).boxed());
        let mut first = None;
        while let Some(answer) = removed.next().await {
            if let Err(error) = answer
                && let Some(error) = failed(&layout::staged(upload), error)
            {
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Removes what nobody needs any more. What stays is swept with the upload.
    pub async fn clear(&self, upload: UploadId, names: Vec<String>) {
        if names.is_empty() {
            return;
        }
        if let Err(error) = self.remove(upload, names).await {
            tracing::warn!(%error, %upload, "objects of an upload could not be removed yet");
        }
    }
}
