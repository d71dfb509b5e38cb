//! Uploads that are tried again, that two processes carry on in turns, or that both write to at once.

use crate::oci::upload::UploadId;
use crate::storage::blobs::{Blobs, Sealed, Staging};
use crate::storage::contract::{after, at, body, bytes, read, sha256};
use crate::storage::error::Error;
use crate::storage::object::uploads::fake::Fake;
use crate::storage::object::uploads::store::Settings;
use crate::storage::object::uploads::tests::alone::{MIB, left, process, settings};
use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;

/// What is done with an upload in one step: how many bytes come, by which process, and whether the client breaks off.
fn steps() -> impl Strategy<Value = Vec<(usize, bool, bool)>> {
    let size = prop_oneof![0..3_usize, 1..300_000_usize, 4_000_000..12_000_000_usize, Just(5 << 20)];
    prop::collection::vec((size, any::<bool>(), any::<bool>()), 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn processes_take_turns(steps in steps(), seals in any::<bool>(), known in any::<bool>(), seed in any::<u64>()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let fake = Arc::new(Fake::default());
            let processes = [process(&fake, settings()), process(&fake, Settings { part_bytes: 6 * MIB, ..settings() })];
            let whole = bytes(seed, steps.iter().map(|(size, ..)| size).sum());
            let (upload, digest) = (UploadId::random(), sha256(&whole));
            let mut staging = Staging { known: known.then_some(digest), ..at(upload, 0) };
            for (size, first, cut) in steps {
                let from = staging.offset as usize;
                let piece = body(&whole.slice(from..from + size), 50_021, cut);
                let staged = processes[usize::from(first)].stage(staging, piece).await.unwrap();
                assert_eq!((staged.size, staged.cut.is_some()), ((from + size) as u64, cut));
                staging = after(upload, &staged);
                assert_eq!(processes[0].stat(&digest).await.unwrap(), None, "it shows before it is sealed");
            }
            let sealed = processes[usize::from(seals)].seal(staging, &digest).await.unwrap();
            assert_eq!(sealed, Sealed::Stored { size: whole.len() as u64 });
            assert!(read(&processes[0], &digest, 0, u64::MAX).await.unwrap().1 == whole);
            assert_eq!(left(&fake).await, (vec![], 0));
        });
    }
}

#[tokio::test]
async fn of_two_writers_the_recorded_one_counts() {
    let fake = Arc::new(Fake::default());
    let [a, b] = [0, 1].map(|_| process(&fake, settings()));
    for (before, more) in [(0, 100_000), (300_000, 100_000), (300_000, 12_000_000)] {
        let (upload, whole) = (UploadId::random(), bytes(before + more, (before + more) as usize));
        let begun = a.stage(at(upload, 0), body(&whole.slice(..before as usize), 9999, false)).await.unwrap();
        let rest = whole.slice(before as usize..);
        let won = a.stage(after(upload, &begun), body(&rest, 65_536, false)).await.unwrap();
        let lost = b.stage(after(upload, &begun), body(&bytes(77, 500_000), 65_536, false)).await.unwrap();
        assert_ne!(won.checkpoint, lost.checkpoint);
        let sealed = b.seal(after(upload, &won), &sha256(&whole)).await.unwrap();
        assert_eq!(sealed, Sealed::Stored { size: before + more });
        assert!(read(&a, &sha256(&whole), 0, u64::MAX).await.unwrap().1 == whole);
        // What the loser has left is found by whoever sweeps.
        assert_eq!(a.staged_before(u64::MAX).await.unwrap(), [upload]);
        b.discard(upload).await.unwrap();
        assert_eq!(left(&fake).await, (vec![], 0));
    }
}

#[tokio::test]
async fn a_part_that_was_overwritten_is_a_lost_upload_and_never_a_wrong_blob() {
    let fake = Arc::new(Fake::default());
    let [a, b] = [0, 1].map(|_| process(&fake, settings()));
    let (upload, whole) = (UploadId::random(), bytes(5, 17_000_000));
    let begun = a.stage(at(upload, 0), body(&whole.slice(..6_000_000), 65_536, false)).await.unwrap();
    let won = a.stage(after(upload, &begun), body(&whole.slice(6_000_000..), 65_536, false)).await.unwrap();
    // The same bytes again do no harm, as from a client that tries again elsewhere.
    b.stage(after(upload, &begun), body(&whole.slice(6_000_000..), 65_536, false)).await.unwrap();
    let other = bytes(6, 11_000_000);
    b.stage(after(upload, &begun), body(&other, 65_536, false)).await.unwrap();
    for _ in 0..2 {
        let sealed = a.seal(after(upload, &won), &sha256(&whole)).await;
        assert!(matches!(sealed, Err(Error::StagedLost)), "{sealed:?}");
    }
    assert_eq!(a.stat(&sha256(&whole)).await.unwrap(), None);
    a.discard(upload).await.unwrap();
    assert_eq!(left(&fake).await, (vec![], 0));
    // Whoever comes back after all that changes nothing.
    let late = b.stage(after(upload, &won), body(&other, 65_536, false)).await;
    assert!(matches!(late, Err(Error::StagedLost)), "{late:?}");
}

#[tokio::test]
async fn whatever_fails_can_be_tried_again() {
    let fake = Arc::new(Fake::default());
    let here = process(&fake, settings());
    let mut unknown = 0;
    for kind in ["PUT", "CREATE", "PART", "COMPLETE", "COPY", "HEAD"] {
        for lost in [false, true] {
            let (upload, whole) = (UploadId::random(), bytes(kind.len() as u64 + 60, 12_000_000));
            let whole = Bytes::from([&whole, kind.as_bytes(), &[u8::from(lost)]].concat());
            let break_it = |kind| if lost { fake.lose(kind) } else { fake.fail(kind) };
            let begun = here.stage(at(upload, 0), body(&whole.slice(..400_000), 9999, false)).await.unwrap();
            let rest = || body(&whole.slice(400_000..), 65_536, false);
            break_it(Some(kind));
            let staged = here.stage(after(upload, &begun), rest()).await;
            break_it(None);
            if ["PUT", "CREATE", "PART"].contains(&kind) {
                assert!(matches!(staged, Err(Error::Unreachable { .. })), "{kind}: {staged:?}");
            }
            let staged = here.stage(after(upload, &begun), rest()).await.unwrap();
            break_it(Some(kind));
            let sealed = here.seal(after(upload, &staged), &sha256(&whole)).await;
            break_it(None);
            if sealed.is_err() {
                assert!(matches!(sealed, Err(Error::Unreachable { .. })), "{kind}: {sealed:?}");
                let sealed = here.seal(after(upload, &staged), &sha256(&whole)).await.unwrap();
                assert_eq!(sealed, Sealed::Stored { size: whole.len() as u64 }, "{kind}");
            }
            assert!(read(&here, &sha256(&whole), 0, u64::MAX).await.unwrap().1 == whole, "{kind}");
            here.discard(upload).await.unwrap();
            // Of a multipart upload whose id never came nobody knows; it holds no part.
            unknown += usize::from(kind == "CREATE" && lost);
            assert_eq!(left(&fake).await, (vec![], unknown), "{kind}");
        }
    }
}
