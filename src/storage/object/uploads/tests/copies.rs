//! Large blobs find their place by copies of parts that the server makes, as it does that well or not.

use crate::oci::upload::UploadId;
use crate::storage::blobs::Blobs;
use crate::storage::contract::{after, at, body, bytes, read, sha256};
use crate::storage::error::Error;
use crate::storage::object::uploads::fake::{Copies, Fake};
use crate::storage::object::uploads::store::Settings;
use crate::storage::object::uploads::tests::alone::{Alone, left, process, settings};
use std::sync::Arc;

const MIB: u64 = 1 << 20;

/// Pushes a blob of two parts of a server's; the requests of putting it in place.
async fn push(fake: &Fake, here: &Alone, seed: u8) -> Vec<String> {
    let (upload, whole) = (UploadId::random(), bytes(seed.into(), 38_000_001));
    let staged = here.stage(at(upload, 0), body(&whole, 65_536, false)).await.unwrap();
    fake.requests();
    here.seal(after(upload, &staged), &sha256(&whole)).await.unwrap();
    let asked = fake.requests();
    assert!(read(here, &sha256(&whole), 0, u64::MAX).await.unwrap().1 == whole);
    asked
}

fn small() -> Settings {
    Settings { part_copies_above_bytes: 6 * MIB, ..settings() }
}

fn count(asked: &[String], kind: &str) -> usize {
    asked.iter().filter(|request| request.split(' ').next() == Some(kind)).count()
}

#[tokio::test]
async fn a_copy_is_tried_and_read_back_once_and_the_next_ones_are_trusted() {
    let fake = Arc::new(Fake::default());
    let here = process(&fake, small());
    for (seed, copied, read_back) in [(1, 4, 1), (2, 2, 0), (3, 2, 0)] {
        let asked = push(&fake, &here, seed).await;
        let counted = (count(&asked, "PARTCOPY"), count(&asked, "COPY"), count(&asked, "GET"));
        assert_eq!(counted, (copied, 0, read_back));
        assert_eq!(left(&fake).await, (vec![], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_copies_no_parts_or_wrong_ones_is_asked_for_something_else() {
    for copies in [Copies::Unable, Copies::Broken, Copies::Mistold, Copies::Spoilt, Copies::Short] {
        for copy_bytes_max in [5 << 30, 7 * MIB] {
            let fake = Arc::new(Fake::default());
            let here = process(&fake, Settings { copy_bytes_max, ..small() });
            fake.copies(copies);
            let asked = push(&fake, &here, 4).await;
            assert!(count(&asked, "PARTCOPY") > 0, "{copies:?}");
            // Who dies before it has looked has put nothing where others would believe it.
            let wrong =
                asked.iter().filter(|request| request.contains("PARTCOPY") && request.contains("blobs/"));
            assert_eq!(wrong.count(), 0, "{copies:?}: {asked:?}");
            assert_eq!(count(&asked, "COPY"), usize::from(copy_bytes_max > 7 * MIB), "{copies:?}");
            let again = push(&fake, &here, 5).await;
            // What it fails at now it may do well later.
            assert_eq!(count(&again, "PARTCOPY") > 0, copies == Copies::Broken, "{copies:?}");
            let (objects, open) = left(&fake).await;
            assert!(open == 0 && objects.iter().all(|path| path.ends_with(".multipart")), "{objects:?}");
            assert_eq!(
                objects.is_empty(),
                copies != Copies::Broken,
                "{copies:?}: its marker calls for it: {objects:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_fails_in_the_middle_costs_nobody_a_byte() {
    let fake = Arc::new(Fake::default());
    let here = process(&fake, small());
    let (upload, whole) = (UploadId::random(), bytes(15, 38_000_001));
    let staged = here.stage(at(upload, 0), body(&whole, 65_536, false)).await.unwrap();
    for trouble in ["COMPLETE", "HEAD"] {
        fake.fail(Some(trouble));
        let sealed = here.seal(after(upload, &staged), &sha256(&whole)).await;
        assert!(matches!(sealed, Err(Error::Unreachable { .. })), "{trouble}: {sealed:?}");
    }
    fake.fail(None);
    here.seal(after(upload, &staged), &sha256(&whole)).await.unwrap();
    assert!(read(&here, &sha256(&whole), 0, u64::MAX).await.unwrap().1 == whole);
    assert_eq!(left(&fake).await, (vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn where_parts_fail_for_a_while_the_whole_is_copied() {
    for trouble in ["PARTCOPY", "CREATE"] {
        let fake = Arc::new(Fake::default());
        let here = process(&fake, small());
        let (upload, whole) = (UploadId::random(), bytes(16, 38_000_001));
        let staged = here.stage(at(upload, 0), body(&whole, 65_536, false)).await.unwrap();
        fake.fail(Some(trouble));
        here.seal(after(upload, &staged), &sha256(&whole)).await.unwrap();
        assert_eq!(count(&fake.requests(), "COPY"), 1, "{trouble}");
        fake.fail(None);
        assert!(read(&here, &sha256(&whole), 0, u64::MAX).await.unwrap().1 == whole);
    }
}
