//! Copies of objects inside the bucket: small ones in one call, large ones part by part, by the server if it can and else
//! through this process.

use crate::oci::digest::Digest;
use crate::oci::upload::UploadId;
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::object::bucket::failed;
use crate::storage::object::part_copies::{Part, PartCopies};
use crate::storage::object::uploads::checkpoint::Multipart;
use crate::storage::object::uploads::load;
use crate::storage::object::uploads::multipart;
use crate::storage::object::uploads::store::Uploads;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use std::ops::Range;
use std::time::Duration;
use tokio::time::Instant;

/// So many parts of a copy are under way at once.
const AT_ONCE: usize = 4;
/// The same where no byte comes through here; for all uploads together there is a limit in `store.rs`.
const SERVER_AT_ONCE: usize = 8;
/// A part that a server copies has at least so many bytes, and at most so many: it must be done in a few minutes.
const SERVER_PART_BYTES: u64 = 32 << 20;
const SERVER_PART_BYTES_MAX: u64 = 128 << 20;
/// Between them parts are as large as it takes to have so many.
const SERVER_PARTS: u64 = 64;
/// So long after it was first asked a server is asked again to copy a part, with pauses that double up to the longest.
const ASKED_AGAIN: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
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
    target: &'a Path,
    digest: &'a Digest,
    size: u64,
}

/// Copies an object of `size` bytes to the place of its blob, unless one of that size stands there: what is there has
/// the same bytes, if no other program has torn it.
///
/// A copy is believed when it was seen: servers begin to answer 200 before they have copied, and say behind that, in a
/// body which the library does not read, that it has failed. As nothing of that size stood there before, what is of that
/// size after it is the copy.
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
    let copied = Copied { upload, source: &source, target: &target, digest, size };
    if let Some(server) = bucket.part_copies.as_deref()
        && size > uploads.settings.part_copies_above_bytes
        && uploads.trust.may_copy_parts()
    {
        match by_server(uploads, &copied, server).await {
            Err(Error::Full) => return Err(Error::Full),
            Err(error) => {
                tracing::warn!(%error, %upload, %digest, "no copy by parts of the server; it is done in another way");
            }
            Ok(()) => return Ok(()),
        }
    }
    if size > uploads.settings.copy_bytes_max {
        let part_bytes = part_size(size, part_bytes);
        return by_parts(uploads, &copied, Some(*digest), part_bytes, &By::Us).await.map(drop);
    }
    bucket.objects.copy(&source, &target).await.map_err(|e| failed(from, e).unwrap_or(Error::StagedLost))?;
    seen(uploads, &copied).await
}

/// Has the server copy an object part by part. Whoever has failed for good is not asked again by this process.
async fn by_server(uploads: &Uploads, copied: &Copied<'_>, server: &dyn PartCopies) -> Result<()> {
    let by = By::Server(server);
    let done = async {
        if !uploads.trust.is_proven() {
            prove(uploads, copied, &by).await?;
        }
        by_parts(uploads, copied, Some(*copied.digest), server_part_size(copied.size), &by).await?;
        seen(uploads, copied).await.inspect_err(|_| uploads.trust.lost())
    };
    let done = done.await;
    if matches!(done, Err(Error::Fault { .. } | Error::StagedLost)) {
        uploads.trust.lost();
    }
    done
}

/// Reads back what the server has copied to a place of the upload's own: servers have been seen that answer well, and put
/// other bytes there. At the place of the blob it would be believed by whoever comes next, if we died before we looked.
async fn prove(uploads: &Uploads, copied: &Copied<'_>, by: &By<'_>) -> Result<()> {
    let objects = &uploads.objects;
    let trial = by_parts(uploads, copied, None, server_part_size(copied.size), by).await?;
    let at = objects.bucket.at(&trial.place(copied.upload))?;
    let actual = load::digest(objects, &at, copied.digest.algorithm()).await;
    objects.clear(copied.upload, vec![trial.data()]).await;
    let actual = actual?;
    if actual != *copied.digest {
        let why = format!("the server copied parts, and what is there is {actual}");
        return Err(Error::at(copied.target.to_string(), std::io::Error::other(why)));
    }
    uploads.trust.proven();
    Ok(())
}

/// Looks whether the copy stands there.
async fn seen(uploads: &Uploads, copied: &Copied<'_>) -> Result<()> {
    let why = match standing(uploads, copied.target).await? {
        Some(there) if there == copied.size => return Ok(()),
        Some(there) => format!("it was copied, and {there} bytes of {} are there", copied.size),
        None => "it was copied, and is not there".to_owned(),
    };
    Err(Error::Unreachable { what: copied.target.to_string(), why })
}

/// The size of what stands at a place, in bytes; `None`: nothing.
async fn standing(uploads: &Uploads, place: &Path) -> Result<Option<u64>> {
    match uploads.objects.bucket.objects.head(place).await {
        Ok(there) => Ok(Some(there.size)),
        Err(error) => failed(place.as_ref(), error).map_or(Ok(None), Err),
    }
}

/// Copies an object part by part, to the place of the blob if `known` says which, else to one of the upload's own.
async fn by_parts(
    uploads: &Uploads,
    copied: &Copied<'_>,
    known: Option<Digest>,
    part_bytes: u64,
    by: &By<'_>,
) -> Result<Multipart> {
    let (objects, upload) = (&uploads.objects, copied.upload);
    let mut copy = multipart::begin(objects, upload, part_bytes, known).await?;
    let completed = match all_parts(uploads, copied, &copy, by).await {
        Ok(parts) => {
            copy.parts = parts;
            multipart::complete(objects, upload, &copy, vec![], copied.size).await
        }
        Err(error) => Err(error),
    };
    let given_up = match &completed {
        Ok(()) => true,
        // A part of which nobody knows may arrive behind that: then its marker calls for it again.
        Err(error) => {
            multipart::abort(objects, upload, &copy).await.is_ok()
                && !matches!(error, Error::Unreachable { .. })
        }
    };
    if given_up {
        objects.clear(upload, vec![copy.marker()]).await;
    }
    completed.map(|()| copy)
}

/// What the bucket calls the parts of a copy, in order. After the first that fails none is begun, and those under way are
/// waited for: they would arrive behind the end.
async fn all_parts(
    uploads: &Uploads,
    copied: &Copied<'_>,
    copy: &Multipart,
    by: &By<'_>,
) -> Result<Vec<String>> {
    let at_once = match by {
        By::Server(_) => SERVER_AT_ONCE,
        By::Us => AT_ONCE,
    };
    let mut ranges = ranges(copied.size, copy.part_bytes).enumerate();
    let (mut flying, mut parts, mut failed) = (FuturesUnordered::new(), Vec::new(), None);
    loop {
        while failed.is_none()
            && flying.len() < at_once
            && let Some((nth, range)) = ranges.next()
        {
            flying
                .push(async move { by.part(uploads, copied, copy, nth, range).await.map(|tag| (nth, tag)) });
        }
        match flying.next().await {
            Some(Ok(part)) => parts.push(part),
            Some(Err(error)) => {
                failed.get_or_insert(error);
            }
            None => break,
        }
    }
    parts.sort_unstable_by_key(|(nth, _)| *nth);
    failed.map_or_else(|| Ok(parts.into_iter().map(|(_, tag)| tag).collect()), Err)
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
                let lost = |e| Error::at("turns at copies", std::io::Error::other(e));
                let _turn = uploads.copying.acquire().await.map_err(lost)?;
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
    let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        match server.copy(part).await.map_err(|e| multipart::refused(part.source.as_ref(), e)) {
            Err(Error::Unreachable { .. }) if begun.elapsed() < ASKED_AGAIN => {}
            done => return done,
        }
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
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
            assert!(parts <= SERVER_PARTS || part_bytes >= SERVER_PART_BYTES_MAX, "{size}: {part_bytes}");
            assert!(parts <= multipart::PARTS_MAX, "{size}: {part_bytes}");
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
