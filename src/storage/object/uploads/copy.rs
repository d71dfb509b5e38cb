//! Copies of objects inside the bucket: in one call, or part by part where they are too large for that.

use crate::oci::digest::Digest;
use crate::oci::upload::UploadId;
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::object::bucket::failed;
use crate::storage::object::uploads::multipart;
use crate::storage::object::uploads::store::Uploads;
use futures_util::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use std::ops::Range;

/// So many parts of a copy are under way at once.
const AT_ONCE: usize = 4;
/// Sizes of parts are multiples of this.
const MIB: u64 = 1 << 20;

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
    let objects = &uploads.objects.bucket.objects;
    let place = layout::blob(digest);
    let (source, target) = (uploads.objects.bucket.at(from)?, uploads.objects.bucket.at(&place)?);
    if standing(uploads, &target).await? == Some(size) {
        return Ok(());
    }
    if size > uploads.settings.copy_bytes_max {
        return by_parts(uploads, upload, &source, digest, size, part_bytes).await;
    }
    objects.copy(&source, &target).await.map_err(|e| failed(from, e).unwrap_or(Error::StagedLost))?;
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

/// Copies an object through this process, with bounded memory.
async fn by_parts(
    uploads: &Uploads,
    upload: UploadId,
    source: &Path,
    digest: &Digest,
    size: u64,
    part_bytes: u64,
) -> Result<()> {
    let objects = &uploads.objects;
    let part_bytes = part_size(size, part_bytes);
    let mut copy = multipart::begin(objects, upload, part_bytes, Some(*digest)).await?;
    let one = |(nth, range): (usize, Range<u64>)| {
        let copy = &copy;
        async move {
            let _room = uploads.large.take(range.end - range.start).await?;
            let read = objects.bucket.objects.get_range(source, range).await;
            let bytes = read.map_err(|e| failed(source.as_ref(), e).unwrap_or(Error::StagedLost))?;
            multipart::put_part(objects, upload, copy, nth, bytes.into()).await
        }
    };
    let copying: Vec<_> = ranges(size, part_bytes).enumerate().map(one).collect();
    let copied: Result<Vec<String>> =
        futures_util::stream::iter(copying).buffered(AT_ONCE).try_collect().await;
    let completed = match copied {
        Ok(parts) => {
            copy.parts = parts;
            multipart::complete(objects, upload, &copy, vec![], size).await
        }
        Err(error) => Err(error),
    };
    let over = match completed {
        Ok(()) => Ok(()),
        Err(error) => multipart::abort(objects, upload, &copy).await.and(Err(error)),
    };
    if !matches!(over, Err(Error::Unreachable { .. })) {
        objects.clear(upload, vec![copy.marker()]).await;
    }
    over
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
    fn default_parts_hold_what_is_promised() {
        let promised = 100 << 30;
        let part_bytes = crate::storage::object::uploads::store::Settings::default().part_bytes;
        assert_eq!(part_size(promised, part_bytes), part_bytes);
        assert!(part_bytes * multipart::PARTS_MAX >= promised);
    }
}
