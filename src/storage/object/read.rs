//! Reading blobs: one request, whose answer also tells the size. A transfer that is cut goes on where it stood, as long
//! as the object is the same one. Knows nothing of who may read.

use crate::storage::blobs::Blob;
use crate::storage::error::{Error, Result};
use crate::storage::object::answer;
use crate::storage::object::bucket::{Bucket, in_time};
use crate::stream::{self, ByteStream};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// So often in a row a transfer goes on that brings nothing.
const CUTS_MAX: u32 = 4;
/// How long is waited before it goes on; twice as long each time.
const PAUSE: Duration = Duration::from_millis(200);
/// Ranges that end beyond this are asked for without an end: not every server reads larger numbers.
const END_MAX: u64 = 1 << 53;

/// Size of an object in bytes; `None`: it is not there.
pub async fn size(bucket: &Bucket, path: &str) -> Result<Option<u64>> {
    let at = bucket.at(path)?;
    match bucket.objects.head(&at).await {
        Ok(meta) => return Ok(Some(meta.size)),
        Err(error) => {
            if let Some(error) = answer::meaning(path, &error) {
                return Err(error);
            }
        }
    }
    // "Not found" without a body: only an answer to GET tells whether the bucket is still there.
    match bucket.objects.get(&at).await {
        Ok(found) => Ok(Some(found.meta.size)),
        Err(error) => answer::meaning(path, &error).map_or(Ok(None), Err),
    }
}

/// `length` bytes of an object from `offset` on, both clipped to its end.
pub async fn read(bucket: &Bucket, path: &str, offset: u64, length: u64) -> Result<Option<Blob>> {
    if length == 0 {
        return Ok(size(bucket, path).await?.map(|size| Blob { size, bytes: stream::empty() }));
    }
    let end = offset.checked_add(length).filter(|&end| end <= END_MAX);
    let range = match end {
        None if offset == 0 => None,
        None => Some(GetRange::Offset(offset)),
        Some(end) => Some(GetRange::Bounded(offset..end)),
    };
    let at = bucket.at(path)?;
    match bucket.objects.get_opts(&at, GetOptions { range, ..GetOptions::default() }).await {
        Ok(found) => {
            let rest = Rest {
                objects: Arc::clone(&bucket.objects),
                at,
                path: path.to_owned(),
                next: found.range.start,
                end: found.range.end,
                e_tag: found.meta.e_tag.clone(),
                cuts: 0,
            };
            Ok(Some(Blob { size: found.meta.size, bytes: rest.flowing(found.into_stream()) }))
        }
        // Nothing of the object is in the range, as nothing of an empty one ever is: its size is all there is to tell.
        Err(error) if answer::Answer::of(&error).status == Some(416) => {
            Ok(size(bucket, path).await?.map(|size| Blob { size, bytes: stream::empty() }))
        }
        Err(error) => answer::meaning(path, &error).map_or(Ok(None), Err),
    }
}

type Pieces = BoxStream<'static, object_store::Result<Bytes>>;

/// What is still to come of an object.
struct Rest {
    objects: Arc<dyn ObjectStore>,
    at: Path,
    path: String,
    next: u64,
    end: u64,
    e_tag: Option<String>,
    cuts: u32,
}

impl Rest {
    fn flowing(self, pieces: Pieces) -> ByteStream {
        futures_util::stream::unfold(Some((self, pieces)), |flow| async {
            let (mut rest, pieces) = flow?;
            match rest.piece(pieces).await {
                Ok(Some((piece, pieces))) => Some((Ok(piece), Some((rest, pieces)))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    /// The next bytes, from wherever they can be had.
    async fn piece(&mut self, mut pieces: Pieces) -> io::Result<Option<(Bytes, Pieces)>> {
        while self.next < self.end {
            let cut = match pieces.next().await {
                Some(Ok(piece)) if piece.is_empty() => continue,
                Some(Ok(mut piece)) => {
                    piece.truncate(usize::try_from(self.end - self.next).unwrap_or(usize::MAX));
                    self.next += piece.len() as u64;
                    self.cuts = 0;
                    return Ok(Some((piece, pieces)));
                }
                Some(Err(error)) => answer::Answer::of(&error).told,
                None => "it ended before its size".into(),
            };
            pieces = self.again(&cut).await?;
        }
        Ok(None)
    }

    /// Asks for the rest of what was cut.
    async fn again(&mut self, cut: &str) -> io::Result<Pieces> {
        loop {
            self.cuts += 1;
            if self.cuts > CUTS_MAX || self.e_tag.is_none() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{}: {cut}", self.path)));
            }
            tracing::info!(
                at = self.path,
                byte = self.next,
                cut,
                "a transfer from the bucket was cut; it goes on"
            );
            tokio::time::sleep(PAUSE * (1 << (self.cuts - 1))).await;
            let options = GetOptions {
                range: Some(GetRange::Bounded(self.next..self.end)),
                if_match: self.e_tag.clone(),
                ..GetOptions::default()
            };
            let asking = async { Ok(self.objects.get_opts(&self.at, options).await) };
            match in_time(&self.path, asking).await {
                Ok(Ok(found)) if found.meta.e_tag == self.e_tag && found.range.start == self.next => {
                    return Ok(found.into_stream());
                }
                Ok(Ok(_)) => return Err(self.changed()),
                Ok(Err(error)) => match answer::meaning(&self.path, &error) {
                    Some(Error::Unreachable { .. }) => {}
                    _ => return Err(self.changed()),
                },
                Err(_) => {}
            }
        }
    }

    fn changed(&self) -> io::Error {
        io::Error::other(format!(
            "{}: the object is gone or another one, in the middle of reading it",
            self.path
        ))
    }
}
