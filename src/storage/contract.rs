//! What every storage must hold to, as plain functions over the traits. A backend's own tests call them all on
//! an empty storage of theirs, and add what only they can arrange (torn files, restarts, full disks).

use crate::oci::digest::{Algorithm, Digest};
use crate::oci::hasher;
use crate::oci::repository::Repository;
use crate::oci::upload::{Checkpoint, UploadId};
use crate::storage::blobs::{Blobs, Sealed, Staged, Staging};
use crate::storage::links::{Found, FoundRepository, Link, Links, Name};
use crate::stream::{self, ByteStream};
use bytes::Bytes;
use futures_util::StreamExt;
use std::io;

/// Bytes that differ at every place and for every seed.
pub fn bytes(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

pub fn sha256(bytes: &[u8]) -> Digest {
    hasher::digest(Algorithm::Sha256, bytes)
}

/// A body in chunks of so many bytes, cut off at the end if `cut`.
pub fn body(bytes: &Bytes, chunk: usize, cut: bool) -> ByteStream {
    let bytes = bytes.clone();
    let starts = (0..bytes.len()).step_by(chunk);
    let chunks: Vec<io::Result<Bytes>> =
        starts.map(|at| Ok(bytes.slice(at..bytes.len().min(at + chunk)))).collect();
    let end = cut.then(|| Err(io::Error::from(io::ErrorKind::ConnectionReset)));
    futures_util::stream::iter(chunks.into_iter().chain(end)).boxed()
}

pub fn at(upload: UploadId, offset: u64) -> Staging {
    Staging { upload, offset, algorithm: Algorithm::Sha256, checkpoint: None, known: None, shown_each: None }
}

/// Behind what was staged.
pub fn after(upload: UploadId, staged: &Staged) -> Staging {
    Staging { checkpoint: staged.checkpoint, ..at(upload, staged.size) }
}

fn cut_at(upload: UploadId, offset: u64, checkpoint: Option<Checkpoint>) -> Staging {
    Staging { checkpoint, ..at(upload, offset) }
}

/// All that a read gives.
pub async fn read(blobs: &dyn Blobs, digest: &Digest, offset: u64, length: u64) -> Option<(u64, Vec<u8>)> {
    let mut blob = blobs.read(digest, offset, length).await.unwrap()?;
    let mut read = Vec::new();
    while let Some(chunk) = blob.bytes.next().await {
        read.extend_from_slice(&chunk.unwrap());
    }
    Some((blob.size, read))
}

/// Stages a blob whole, seals it and gives it a layer link.
pub async fn push(blobs: &dyn Blobs, links: &dyn Links, repository: &Repository, bytes: &Bytes) -> Digest {
    let (upload, digest) = (UploadId::random(), sha256(bytes));
    let staged = blobs.stage(at(upload, 0), body(bytes, 10_000, false)).await.unwrap();
    assert!(staged.cut.is_none());
    let sealed = blobs.seal(after(upload, &staged), &digest).await.unwrap();
    assert_eq!(sealed, Sealed::Stored { size: bytes.len() as u64 });
    links.record(repository, &[Link::Layer(digest)]).await.unwrap();
    digest
}

/// Sizes around every limit that an implementation may have.
pub const SIZES: [usize; 10] =
    [1, 4096, 65_537, 256 << 10, (256 << 10) + 1, 1 << 20, (4 << 20) + 1, 9_999_999, 17 << 20, 70 << 20];

/// What is staged in one go and sealed can be read, whole and in parts.
pub async fn blobs_are_read_as_they_were_staged(blobs: &dyn Blobs) {
    for (seed, size) in SIZES.into_iter().enumerate() {
        let bytes = bytes(seed as u64, size);
        let (upload, digest) = (UploadId::random(), sha256(&bytes));
        assert_eq!(blobs.stat(&digest).await.unwrap(), None);
        assert!(blobs.read(&digest, 0, 1).await.unwrap().is_none());
        let staged = blobs.stage(at(upload, 0), body(&bytes, 100_000, false)).await.unwrap();
        assert_eq!((staged.size, staged.cut.is_none()), (size as u64, true));
        assert_eq!(blobs.stat(&digest).await.unwrap(), None, "staged bytes show under their digest");
        let sealed = blobs.seal(after(upload, &staged), &digest).await.unwrap();
        assert_eq!(sealed, Sealed::Stored { size: size as u64 });
        assert_eq!(blobs.stat(&digest).await.unwrap(), Some(size as u64));
        for (from, length) in
            [(0, size), (0, 1), (size / 3, size / 2), (size - 1, 99), (size, 1), (size + 9, 1), (0, 0)]
        {
            let (whole, part) = read(blobs, &digest, from as u64, length as u64).await.unwrap();
            let expected = bytes.slice(from.min(size)..size.min(from.min(size) + length));
            assert!(whole == size as u64 && part == expected, "{size}: {length} from {from}");
        }
        let (_, to_the_end) = read(blobs, &digest, 1, u64::MAX).await.unwrap();
        assert!(to_the_end == bytes.slice(1..));
    }
}

/// Pieces of any size follow each other, also after the client broke off.
pub async fn uploads_come_in_pieces(blobs: &dyn Blobs) {
    for sizes in [[1, 1, 1], [300_000, 5, 700_000], [5_000_000, 300_000, 0], [0, 0, 77]] {
        let bytes = bytes(sizes[0] as u64 + 100, sizes.iter().sum());
        let (upload, digest) = (UploadId::random(), sha256(&bytes));
        let mut staging = at(upload, 0);
        for size in sizes {
            let from = usize::try_from(staging.offset).unwrap();
            let piece = bytes.slice(from..from + size);
            let answer = blobs.stage(staging, body(&piece, 65_536, true)).await.unwrap();
            assert!(answer.cut.is_some(), "a cut body looks whole");
            assert_eq!(answer.size, staging.offset + size as u64);
            staging = after(upload, &answer);
        }
        let sealed = blobs.seal(staging, &digest).await.unwrap();
        assert_eq!(sealed, Sealed::Stored { size: bytes.len() as u64 });
        assert!(read(blobs, &digest, 0, u64::MAX).await.unwrap().1 == bytes);
    }
}

/// What stands beyond the offset is dropped; what is missing before it is told.
pub async fn the_offset_rules(blobs: &dyn Blobs) {
    let (upload, whole) = (UploadId::random(), bytes(7, 1_000_000));
    let mut checkpoint = blobs.stage(at(upload, 0), body(&whole, 9999, false)).await.unwrap().checkpoint;
    for (offset, more) in [(600_000, 300_001), (600_000, 10), (5, 400_000)] {
        let piece = bytes(offset + more, usize::try_from(more).unwrap());
        let staging = cut_at(upload, offset, checkpoint);
        let staged = blobs.stage(staging, body(&piece, 65_536, false)).await.unwrap();
        assert_eq!(staged.size, offset + more);
        checkpoint = staged.checkpoint;
    }
    let beyond = blobs.stage(cut_at(upload, 400_006, checkpoint), body(&whole, 9999, false)).await;
    assert!(matches!(beyond, Err(crate::storage::error::Error::StagedLost)));
    // Sealing cuts as well: only the first 300 000 bytes are asked for.
    let expected = [&whole[..5], &bytes(400_005, 400_000)[..299_995]].concat();
    let sealed = blobs.seal(cut_at(upload, 300_000, checkpoint), &sha256(&expected)).await.unwrap();
    assert_eq!(sealed, Sealed::Stored { size: 300_000 });
    assert!(read(blobs, &sha256(&expected), 0, u64::MAX).await.unwrap().1 == expected);
    let gone = blobs.seal(cut_at(upload, 300_000, checkpoint), &sha256(&expected)).await;
    assert!(matches!(gone, Err(crate::storage::error::Error::StagedLost)));
}

/// Other bytes than was said stay staged, and are told what they are.
pub async fn a_wrong_digest_is_told(blobs: &dyn Blobs) {
    for size in [10, 5_000_000] {
        let bytes = bytes(20 + size as u64, size);
        let (upload, digest, other) = (UploadId::random(), sha256(&bytes), sha256(b"another"));
        let staged = blobs.stage(at(upload, 0), body(&bytes, 65_536, false)).await.unwrap();
        let sealed = blobs.seal(after(upload, &staged), &other).await.unwrap();
        assert_eq!(sealed, Sealed::Mismatch { actual: digest });
        assert_eq!(blobs.stat(&other).await.unwrap(), None);
        assert_eq!(blobs.stat(&digest).await.unwrap(), None);
        let sealed = blobs.seal(after(upload, &staged), &digest).await.unwrap();
        assert_eq!(sealed, Sealed::Stored { size: size as u64 });
    }
}

/// The algorithm of the digest counts, not the one that was guessed.
pub async fn another_algorithm_seals_too(blobs: &dyn Blobs) {
    let bytes = bytes(30, 700_000);
    let (upload, digest) = (UploadId::random(), hasher::digest(Algorithm::Sha512, &bytes));
    let staged = blobs.stage(at(upload, 0), body(&bytes, 65_536, false)).await.unwrap();
    let wrong = hasher::digest(Algorithm::Sha512, b"another");
    assert_eq!(
        blobs.seal(after(upload, &staged), &wrong).await.unwrap(),
        Sealed::Mismatch { actual: digest }
    );
    let sealed = blobs.seal(after(upload, &staged), &digest).await.unwrap();
    assert_eq!(sealed, Sealed::Stored { size: 700_000 });
    assert!(read(blobs, &digest, 0, u64::MAX).await.unwrap().1 == bytes);
}

/// The blob of no bytes, for which nothing need ever be staged.
pub async fn the_empty_blob(blobs: &dyn Blobs) {
    let digest = sha256(b"");
    let sealed = blobs.seal(at(UploadId::random(), 0), &digest).await.unwrap();
    assert_eq!(sealed, Sealed::Stored { size: 0 });
    assert_eq!(read(blobs, &digest, 0, u64::MAX).await.unwrap(), (0, Vec::new()));
    let upload = UploadId::random();
    let staged = blobs.stage(at(upload, 0), stream::empty()).await.unwrap();
    assert_eq!(staged.size, 0);
    assert_eq!(blobs.seal(after(upload, &staged), &digest).await.unwrap(), Sealed::Stored { size: 0 });
    assert_eq!(blobs.stat(&digest).await.unwrap(), Some(0));
}

/// Many push the same blob at once, and all succeed.
pub async fn equal_pushes_meet(blobs: &dyn Blobs, links: &dyn Links) {
    let bytes = bytes(40, 300_000);
    let pushes = (0..16).map(|nth: u32| {
        let (repository, bytes) = (format!("meet/r{nth}").parse().unwrap(), bytes.clone());
        async move { push(blobs, links, &repository, &bytes).await }
    });
    let digests = futures_util::future::join_all(pushes).await;
    for (nth, digest) in digests.into_iter().enumerate() {
        assert!(read(blobs, &digest, 0, u64::MAX).await.unwrap().1 == bytes);
        let name = Name::Layer(digest);
        let repository = format!("meet/r{nth}").parse().unwrap();
        assert_eq!(links.resolve(&repository, &name).await.unwrap(), Some(digest));
    }
}

/// Bytes in memory are put once or many times.
pub async fn puts_are_read(blobs: &dyn Blobs) {
    for size in [0, 1, 700, 70_000, 4 << 20] {
        let bytes = bytes(50 + size as u64, size);
        let digest = sha256(&bytes);
        for _ in 0..2 {
            blobs.put(&digest, bytes.clone()).await.unwrap();
            assert!(read(blobs, &digest, 0, u64::MAX).await.unwrap().1 == bytes);
        }
    }
}

/// Idle uploads are found, and what is discarded is gone.
pub async fn uploads_are_swept(blobs: &dyn Blobs) {
    let upload = UploadId::random();
    blobs.discard(upload).await.unwrap();
    let staged = blobs.stage(at(upload, 0), body(&bytes(60, 1000), 100, false)).await.unwrap();
    assert!(!blobs.staged_before(1).await.unwrap().contains(&upload));
    assert!(blobs.staged_before(u64::MAX).await.unwrap().contains(&upload));
    blobs.discard(upload).await.unwrap();
    assert!(!blobs.staged_before(u64::MAX).await.unwrap().contains(&upload));
    let gone = blobs.stage(after(upload, &staged), stream::empty()).await;
    assert!(matches!(gone, Err(crate::storage::error::Error::StagedLost)));
}

/// Everything that a walk meets, sorted: links without their times, and the paths of what is odd.
pub async fn walked(links: &dyn Links, repository: &Repository) -> (Vec<Link>, Vec<String>) {
    let (mut good, mut odd) = (Vec::new(), Vec::new());
    let mut visit = |found| match found {
        Found::Link { link, modified } => {
            assert!(modified > 1_600_000_000, "a time of writing that is none: {modified}");
            good.push(link);
        }
        Found::Odd { path, why } => {
            assert!(!why.is_empty());
            odd.push(path);
        }
    };
    links.walk(repository, &mut visit).await.unwrap();
    let rank = |link: &Link| match link {
        Link::Layer(_) => 0,
        Link::Revision(_) => 1,
        Link::Tag(..) => 2,
    };
    assert!(good.is_sorted_by_key(rank), "layers before revisions before tags");
    good.sort_by_key(|link| (rank(link), format!("{link:?}")));
    odd.sort();
    (good, odd)
}

/// The names of all good repositories, sorted, and the paths of what is odd.
pub async fn listed(links: &dyn Links) -> (Vec<String>, Vec<String>) {
    let (mut good, mut odd) = (Vec::new(), Vec::new());
    for found in links.repositories().await.unwrap() {
        match found {
            FoundRepository::Repository(name) => good.push(name.to_string()),
            FoundRepository::Odd { path, .. } => odd.push(path),
        }
    }
    good.sort();
    odd.sort();
    (good, odd)
}

/// Links are found again, moved, and forgotten.
pub async fn links_come_and_go(links: &dyn Links) {
    let name = |text: &str| text.parse::<Repository>().unwrap();
    let (app, inner, deep) = (name("app"), name("app/inner"), name("a/b/c/d"));
    let (one, two) = (sha256(b"one"), hasher::digest(Algorithm::Sha512, b"two"));
    let tag = |text: &str| text.parse::<crate::oci::tag::Tag>().unwrap();
    assert!(links.is_empty().await.unwrap());
    assert_eq!(links.resolve(&app, &Name::Tag(tag("v1"))).await.unwrap(), None);
    assert_eq!(walked(links, &app).await, (vec![], vec![]));
    let all = [
        Link::Layer(one),
        Link::Revision(one),
        Link::Revision(two),
        Link::Tag(tag("v1"), one),
        Link::Tag(tag("v2"), two),
    ];
    for _ in 0..2 {
        links.record(&app, &all).await.unwrap();
        assert_eq!(walked(links, &app).await, (all.to_vec(), vec![]));
    }
    assert!(!links.is_empty().await.unwrap());
    links.record(&inner, &[Link::Layer(two)]).await.unwrap();
    links.record(&deep, &[Link::Tag(tag("V.-_"), two)]).await.unwrap();
    assert_eq!(listed(links).await, (vec!["a/b/c/d".into(), "app".into(), "app/inner".into()], vec![]));
    for (moved, other) in [(two, one), (one, two), (two, one)] {
        links.record(&app, &[Link::Tag(tag("v1"), moved)]).await.unwrap();
        assert_eq!(links.resolve(&app, &Name::Tag(tag("v1"))).await.unwrap(), Some(moved));
        assert_ne!(moved, other);
    }
    links.record(&app, &[]).await.unwrap();
    assert_eq!(links.resolve(&app, &Name::Revision(two)).await.unwrap(), Some(two));
    assert_eq!(links.resolve(&app, &Name::Layer(two)).await.unwrap(), None);
    let gone = [Name::Revision(one), Name::Layer(two), Name::Tag(tag("v2")), Name::Tag(tag("never"))];
    for _ in 0..2 {
        links.forget(&app, &gone).await.unwrap();
        let left = vec![Link::Layer(one), Link::Revision(two), Link::Tag(tag("v1"), two)];
        assert_eq!(walked(links, &app).await, (left, vec![]));
    }
    assert_eq!(walked(links, &inner).await, (vec![Link::Layer(two)], vec![]));
}

/// A tag that is moved again and again always means something that it was set to.
pub async fn tags_move_whole(links: &dyn Links) {
    let repository: Repository = "moving".parse().unwrap();
    let tag: crate::oci::tag::Tag = "v".parse().unwrap();
    let digests: Vec<Digest> = (0..20_u8).map(|n| sha256(&[n])).collect();
    links.record(&repository, &[Link::Tag(tag.clone(), digests[0])]).await.unwrap();
    let moving = async {
        for digest in &digests {
            links.record(&repository, &[Link::Tag(tag.clone(), *digest)]).await.unwrap();
        }
    };
    let name = Name::Tag(tag.clone());
    let looking = async {
        let mut last = 0;
        while last + 1 < digests.len() {
            let meant = links.resolve(&repository, &name).await.unwrap();
            let met = digests.iter().position(|digest| Some(*digest) == meant);
            assert!(met >= Some(last), "the tag means nothing, or what it meant before");
            last = met.unwrap();
        }
    };
    futures_util::future::join(moving, looking).await;
    assert_eq!(links.resolve(&repository, &name).await.unwrap(), digests.last().copied());
}
