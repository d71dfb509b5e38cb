//! Copies of objects inside the bucket: small ones in one call, large ones part by part, by the server if it can and else
//! through this process.

use crate::oci::digest::Digest;
use crate::oci::upload::UploadId;
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::object::bucket::failed;
use crate::storage::object::part_copies::{Part, PartCopies};
use crate::storage::object::uploads::checkpoint::Multipart;
use crate::storage::object::uploads::multipart;
use crate::storage::object::uploads::store::Uploads;
use futures_util::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use std::ops::Range;
use std::time::Duration;

/// So many parts of a copy are under way at once.
const AT_ONCE: usize = 4;
/// The same where no byte comes through here.
const SERVER_AT_ONCE: usize = 8;
/// A server copies at least so many bytes in a part, and more of a large object, so that its parts stay few.
const SERVER_PART_BYTES: u64 = 32 << 20;
/// Of so many parts, as long as they have a size between that and this: a request must not take for ever.
const SERVER_PARTS: u64 = 64;
const SERVER_PART_BYTES_MAX: u64 = 1 << 30;
/// So often a server is asked to copy a part, with pauses that double from the first.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Sizes of parts are multiples of this.
const MIB: u64 = 1 << 20;

/// Who moves the bytes of a part.
enum By<'a> {
    Server(&'a dyn PartCopies),
    Us,
}

/// An object that is copied.
struct Copied<'a> {
    upload: UploadId,
    source: &'a Path,
    digest: &'a Digest,
    size: u64,
}

/// Copies an object of `size` bytes to the place of its blob, unless one of that size stands there: what is there has
/// the same bytes, if no other program has torn it.
///
/// A copy in one call is believed when it was seen: servers begin to answer 200 before they have copied, and say behind
/// that, in a body which the library does not read, that it has failed. As nothing of that size stood there before, what
/// is of that size after it is the copy.
pub async fn to_its_place(
    uploads: &Uploads,
    upload: UploadId,
    from: &str,
    digest: &Digest,
    size: u64,
    part_bytes: u64,
) -> Result<()> {
    let bucket = &uploads.objects.bucket;
    let place = layout::blob(digest);
    let (source, target) = (bucket.at(from)?, bucket.at(&place)?);
    if standing(uploads, &target).await? == Some(size) {
        return Ok(());
    }
    let copied = Copied { upload, source: &source, digest, size };
    if let Some(server) = bucket.part_copies.as_deref().filter(|_| size > uploads.settings.whole_bytes_max) {
        let part_bytes = server_part_size(size);
        match by_parts(uploads, &copied, part_bytes, &By::Server(server)).await {
            Err(Error::Fault { source, .. }) => {
                tracing::warn!(error = %source, "the server does not copy by parts; it is done in another way");
            }
            done => return done,
        }
    }
    if size > uploads.settings.copy_bytes_max {
        return by_parts(uploads, &copied, part_size(size, part_bytes), &By::Us).await;
    }
    bucket.objects.copy(&source, &target).await.map_err(|e| failed(from, e).unwrap_or(Error::StagedLost))?;
    let why = match standing(uploads, &target).await? {
        Some(there) if there == size => return Ok(()),
        Some(there) => format!("it was copied, and {there} bytes of {size} are there"),
        None => "it was copied, and is not there".to_owned(),
    };
    Err(Error::Unreachable { what: place, why })
}

/// The size of what stands at a place, in bytes; `None`: nothing.
async fn standing(uploads: &Uploads, place: &Path) -> Result<Option<u64>> {
    match uploads.objects.bucket.objects.head(place).await {
        Ok(there) => Ok(Some(there.size)),
        Err(error) => failed(place.as_ref(), error).map_or(Ok(None), Err),
    }
}

/// Copies an object part by part.
async fn by_parts(uploads: &Uploads, copied: &Copied<'_>, part_bytes: u64, by: &By<'_>) -> Result<()> {
    let (objects, upload) = (&uploads.objects, copied.upload);
    let mut copy = multipart::begin(objects, upload, part_bytes, Some(*copied.digest)).await?;
    let at_once = match by {
        By::Server(_) => SERVER_AT_ONCE,
        By::Us => AT_ONCE,
    };
    let one = |(nth, range)| by.part(uploads, copied, &copy, nth, range);
    let copying: Vec<_> = ranges(copied.size, part_bytes).enumerate().map(one).collect();
    let parts: Result<Vec<String>> =
        futures_util::stream::iter(copying).buffered(at_once).try_collect().await;
    let completed = match parts {
        Ok(parts) => {
            copy.parts = parts;
            multipart::complete(objects, upload, &copy, vec![], copied.size).await
        }
        Err(error) => Err(error),
    };
    let given_up = match &completed {
        Ok(()) => Ok(()),
        Err(_) => multipart::abort(objects, upload, &copy).await,
    };
    // Its marker calls for it as long as it may be there.
    if !matches!(given_up, Err(Error::Unreachable { .. })) {
        objects.clear(upload, vec![copy.marker()]).await;
    }
    completed
}

impl By<'_> {
    /// Copies a part; what the bucket calls it. Through this process with bounded memory.
    async fn part(
        &self,
        uploads: &Uploads,
        copied: &Copied<'_>,
        copy: &Multipart,
        nth: usize,
        range: Range<u64>,
    ) -> Result<String> {
        let (objects, source) = (&uploads.objects, copied.source);
        let target = objects.bucket.at(&copy.place(copied.upload))?;
        match self {
            By::Server(server) => {
                persistently(*server, &Part { target: &target, id: &copy.id, nth, source, range }).await
            }
            By::Us => {
                let _room = uploads.large.take(range.end - range.start).await?;
                let read = objects.bucket.objects.get_range(source, range).await;
                let bytes = read.map_err(|e| failed(source.as_ref(), e).unwrap_or(Error::StagedLost))?;
                multipart::put_part(objects, copied.upload, copy, nth, bytes.into()).await
            }
        }
    }
}

/// Has a part copied, and asks again where that may help.
async fn persistently(server: &dyn PartCopies, part: &Part<'_>) -> Result<String> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match server.copy(part).await.map_err(|e| multipart::refused(part.source.as_ref(), e)) {
            Err(Error::Unreachable { .. }) => tokio::time::sleep(jittered(pause)).await,
            done => return done,
        }
        pause *= 2;
    }
    server.copy(part).await.map_err(|e| multipart::refused(part.source.as_ref(), e))
}

/// Between a half and all of a pause, so that not all who were refused come back at once.
fn jittered(pause: Duration) -> Duration {
    let [random, ..] = *uuid::Uuid::new_v4().as_bytes();
    pause.mul_f32(0.5 + f32::from(random) / 512.0)
}

/// Bytes of each part of an object of `size` bytes that a server copies.
fn server_part_size(size: u64) -> u64 {
    let even = size.div_ceil(SERVER_PARTS).div_ceil(MIB) * MIB;
    part_size(size, even.clamp(SERVER_PART_BYTES, SERVER_PART_BYTES_MAX))
}

/// Bytes of each part of an object of `size` bytes: those that are wanted, or as many as it takes to have no more
/// parts than there may be.
pub fn part_size(size: u64, wanted: u64) -> u64 {
    wanted.max(size.div_ceil(multipart::PARTS_MAX).div_ceil(MIB) * MIB)
}

/// The parts of an object, in order.
pub fn ranges(size: u64, part_bytes: u64) -> impl Iterator<Item = Range<u64>> {
    let starts = (0..size.div_ceil(part_bytes)).map(move |nth| nth * part_bytes);
    starts.map(move |start| start..size.min(start + part_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIB: u64 = 1 << 40;

    proptest! {
        #[test]
        fn parts_are_uniform_and_never_too_many(size in 1..=5 * TIB, mib in 5..5 * 1024_u64) {
            let part_bytes = part_size(size, mib * MIB);
            prop_assert!(part_bytes >= mib * MIB && part_bytes <= (5 << 30).max(mib * MIB));
            let (mut end, mut count) = (0, 0);
            for range in ranges(size, part_bytes) {
                prop_assert_eq!(range.start, end);
                prop_assert!(range.end == size || range.end - range.start == part_bytes);
                prop_assert!(range.end > range.start);
                (end, count) = (range.end, count + 1);
            }
            prop_assert_eq!(end, size);
            prop_assert!(count <= multipart::PARTS_MAX);
        }
    }

    #[test]
    fn a_server_copies_parts_that_s3_takes() {
        for size in [1, 64 << 20, 5 << 30, 100 << 30, 5 * TIB] {
            let part_bytes = server_part_size(size);
            assert!((SERVER_PART_BYTES..=5 << 30).contains(&part_bytes), "{size}: {part_bytes}");
            let parts = size.div_ceil(part_bytes);
            assert!(
                parts <= SERVER_PARTS.max(size >> 30) && parts <= multipart::PARTS_MAX,
                "{size}: {part_bytes}"
            );
        }
    }

    #[test]
    fn default_parts_hold_what_is_promised() {
        let promised = 100 << 30;
        let part_bytes = crate::storage::object::uploads::store::Settings::default().part_bytes;
        assert_eq!(part_size(promised, part_bytes), part_bytes);
        assert!(part_bytes * multipart::PARTS_MAX >= promised);
    }
}
