//! One upload by one process: what its steps cost in requests, what it leaves, and where its bounds are.

use crate::oci::digest::Algorithm;
use crate::oci::hasher;
use crate::oci::upload::UploadId;
use crate::storage::blobs::{Blobs, Sealed, Staging};
use crate::storage::contract::{after, at, body, bytes, read, sha256};
use crate::storage::error::Error;
use crate::storage::layout;
use crate::storage::object::uploads::fake::Fake;
use crate::storage::object::uploads::store::Settings;
use crate::storage::object::uploads::tests::alone::{MIB, left, process, settings};
use bytes::Bytes;
use futures_util::StreamExt;
use object_store::ObjectStoreExt;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn small_uploads_cost_few_requests() {
    let fake = Arc::new(Fake::default());
    let (here, upload, whole) = (process(&fake, settings()), UploadId::random(), bytes(1, 300_000));
    let staged = here.stage(at(upload, 0), body(&whole, 4096, false)).await.unwrap();
    let staging_put = format!("PUT pre/fix/holdfast/staging/{upload}/{}", staged.checkpoint.unwrap());
    assert_eq!(fake.requests(), [staging_put]);
    here.seal(after(upload, &staged), &sha256(&whole)).await.unwrap();
    assert_eq!(fake.requests(), [format!("PUT pre/fix/{}", layout::blob(&sha256(&whole))), "DELETE".into()]);
    assert_eq!(left(&fake).await.0, Vec::<String>::new());
}

#[tokio::test]
async fn a_known_blob_is_not_copied() {
    let fake = Arc::new(Fake::default());
    let here = process(&fake, settings());
    for (known, copies) in [(true, 0), (false, 1), (false, 0)] {
        let (upload, whole) = (UploadId::random(), bytes(u64::from(known), 23_000_000));
        let digest = sha256(&whole);
        let staging = Staging { known: known.then_some(digest), ..at(upload, 0) };
        let staged = here.stage(staging, body(&whole, 65_536, false)).await.unwrap();
        here.seal(Staging { known: staging.known, ..after(upload, &staged) }, &digest).await.unwrap();
        assert!(read(&here, &digest, 0, u64::MAX).await.unwrap().1 == whole);
        let requests = fake.requests();
        let count = |kind: &str| requests.iter().filter(|request| request.starts_with(kind)).count();
        assert_eq!((count("COPY"), count("CREATE"), count("PART"), count("COMPLETE")), (copies, 1, 5, 1));
        assert_eq!(left(&fake).await, (vec![], 0));
    }
}

#[tokio::test]
async fn a_torn_blob_of_another_program_is_healed() {
    let fake = Arc::new(Fake::default());
    let (here, upload, whole) = (process(&fake, settings()), UploadId::random(), bytes(3, 11_000_000));
    let digest = sha256(&whole);
    let place = here.0.objects.bucket.at(&layout::blob(&digest)).unwrap();
    fake.put(&place, whole.slice(..1000).into()).await.unwrap();
    let staged = here.stage(at(upload, 0), body(&whole, 65_536, false)).await.unwrap();
    here.seal(after(upload, &staged), &digest).await.unwrap();
    assert!(read(&here, &digest, 0, u64::MAX).await.unwrap().1 == whole);
}

#[tokio::test]
async fn a_copy_that_was_answered_and_not_made_costs_nobody_a_byte() {
    // What stands at the place before: nothing, or what another program has torn.
    for torn in [None, Some(1000)] {
        let fake = Arc::new(Fake::default());
        let (here, upload, whole) = (process(&fake, settings()), UploadId::random(), bytes(14, 11_000_000));
        let digest = sha256(&whole);
        let place = here.0.objects.bucket.at(&layout::blob(&digest)).unwrap();
        if let Some(bytes) = torn {
            fake.put(&place, whole.slice(..bytes).into()).await.unwrap();
        }
        let staged = here.stage(at(upload, 0), body(&whole, 65_536, false)).await.unwrap();
        fake.lie(true);
        for _ in 0..2 {
            let sealed = here.seal(after(upload, &staged), &digest).await;
            assert!(matches!(sealed, Err(Error::Unreachable { .. })), "{torn:?}: {sealed:?}");
        }
        fake.lie(false);
        // The client tries again, and every byte is still there.
        here.seal(after(upload, &staged), &digest).await.unwrap();
        assert!(read(&here, &digest, 0, u64::MAX).await.unwrap().1 == whole);
        assert_eq!(left(&fake).await, (vec![], 0));
    }
}

#[tokio::test]
async fn copies_that_are_too_large_for_one_call_go_by_parts() {
    let fake = Arc::new(Fake::default());
    let here = process(&fake, Settings { copy_bytes_max: 7 * MIB, ..settings() });
    let (upload, whole) = (UploadId::random(), bytes(4, 38_000_001));
    let staged = here.stage(at(upload, 0), body(&whole, 65_536, false)).await.unwrap();
    fake.requests();
    here.seal(after(upload, &staged), &sha256(&whole)).await.unwrap();
    assert!(!fake.requests().iter().any(|request| request.starts_with("COPY")));
    assert!(read(&here, &sha256(&whole), 0, u64::MAX).await.unwrap().1 == whole);
    assert_eq!(left(&fake).await, (vec![], 0));
}

#[tokio::test]
async fn too_many_parts_are_refused_when_they_come() {
    let fake = Arc::new(Fake::default());
    let here = process(&fake, Settings { part_bytes: 100, buffer_bytes: 8 * MIB, ..settings() });
    let (upload, most) = (UploadId::random(), bytes(8, 1_000_000));
    let staged = here.stage(at(upload, 0), body(&most, 65_536, false)).await.unwrap();
    let one_more = here.stage(after(upload, &staged), body(&bytes(9, 1), 1, false)).await;
    assert!(matches!(one_more, Err(Error::Fault { .. })), "{one_more:?}");
    here.seal(after(upload, &staged), &sha256(&most)).await.unwrap();
    assert!(read(&here, &sha256(&most), 0, u64::MAX).await.unwrap().1 == most);
}

#[tokio::test]
async fn other_algorithms_are_read_back() {
    let fake = Arc::new(Fake::default());
    let (here, upload, whole) = (process(&fake, settings()), UploadId::random(), bytes(10, 12_000_000));
    let staged = here.stage(at(upload, 0), body(&whole, 65_536, false)).await.unwrap();
    let digest = hasher::digest(Algorithm::Sha512, &whole);
    let wrong = here.seal(after(upload, &staged), &hasher::digest(Algorithm::Sha512, b"x")).await.unwrap();
    assert_eq!(wrong, Sealed::Mismatch { actual: digest });
    let sealed = here.seal(after(upload, &staged), &digest).await.unwrap();
    assert_eq!(sealed, Sealed::Stored { size: 12_000_000 });
    assert_eq!(left(&fake).await, (vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_takes_long_shows_that_it_is_not_left_behind() {
    let fake = Arc::new(Fake::default());
    let (here, upload, whole) = (process(&fake, settings()), UploadId::random(), bytes(13, 21 << 20));
    let pieces: Vec<Bytes> = (0..21).map(|nth| whole.slice(nth << 20..(nth + 1) << 20)).collect();
    let hours = futures_util::stream::iter(pieces).then(|piece| async {
        tokio::time::sleep(Duration::from_mins(5)).await;
        Ok(piece)
    });
    let shown = || fake.requests().iter().filter(|r| r.starts_with("PUT") && r.contains(".alive")).count();
    let shown_each = Some(Duration::from_secs(15));
    let staged = here.stage(Staging { shown_each, ..at(upload, 0) }, hours.boxed()).await.unwrap();
    // The parts are five minutes apart, and their own markers twenty-five.
    assert!((418..=420).contains(&shown()));
    assert!(left(&fake).await.0.iter().all(|path| !path.contains(".alive")));
    fake.copy_secs(200);
    here.seal(Staging { shown_each, ..after(upload, &staged) }, &sha256(&whole)).await.unwrap();
    assert_eq!(shown(), 13);
    assert_eq!(left(&fake).await, (vec![], 0));
    // Where metadata tells of it nothing is written for that.
    let (upload, whole) = (UploadId::random(), bytes(16, 21 << 20));
    let staged = here.stage(at(upload, 0), body(&whole, 65_536, false)).await.unwrap();
    here.seal(after(upload, &staged), &sha256(&whole)).await.unwrap();
    assert_eq!(shown(), 0);
}
