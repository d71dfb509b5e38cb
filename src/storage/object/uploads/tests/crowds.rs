//! Many uploads at once share one bound of memory: nobody waits for ever, and clients that trickle keep nobody out.

use crate::oci::upload::UploadId;
use crate::storage::blobs::Blobs;
use crate::storage::contract::{after, at, body, bytes, sha256};
use crate::storage::object::uploads::fake::Fake;
use crate::storage::object::uploads::store::Settings;
use crate::storage::object::uploads::tests::alone::{left, process, settings};
use crate::stream::{self, ByteStream};
use bytes::Bytes;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A body that sends its first bytes at once, and then one byte each 20 ms until it is told to end.
fn trickle(first: Bytes, end: tokio::sync::watch::Receiver<bool>) -> ByteStream {
    let drops = futures_util::stream::unfold((), move |()| {
        let mut end = end.clone();
        async move {
            tokio::select! {
                _ = end.wait_for(|end| *end) => None,
                () = tokio::time::sleep(Duration::from_millis(20)) => Some((Ok(Bytes::from_static(b"x")), ())),
            }
        }
    });
    stream::once(first).chain(drops).boxed()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_do_not_keep_fast_ones_out() {
    let fake = Arc::new(Fake::default());
    let here = Arc::new(process(&fake, settings()));
    let (end, ended) = tokio::sync::watch::channel(false);
    let first = bytes(11, 3_000_000);
    let mut slow = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (here, body) = (Arc::clone(&here), trickle(first.clone(), ended.clone()));
        let upload = UploadId::random();
        slow.spawn(async move { (upload, here.stage(at(upload, 0), body).await.unwrap()) });
    }
    // All memory for parts is taken by those who trickle.
    while here.0.large.take_now(1).is_some() {
        tokio::task::yield_now().await;
    }
    let (upload, whole) = (UploadId::random(), bytes(12, 100_000_000));
    let fast = here.stage(at(upload, 0), body(&whole, 65_536, false));
    let fast = tokio::time::timeout(Duration::from_secs(30), fast).await.expect("kept out").unwrap();
    assert_eq!(fast.size, 100_000_000);
    end.send(true).unwrap();
    while let Some(slow) = slow.join_next().await {
        let (upload, staged) = slow.unwrap();
        let whole = [&first[..], &vec![b'x'; staged.size as usize - first.len()]].concat();
        here.seal(after(upload, &staged), &sha256(&whole)).await.unwrap();
    }
    here.seal(after(upload, &fast), &sha256(&whole)).await.unwrap();
    assert_eq!(left(&fake).await, (vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn clients_that_send_a_byte_now_and_then_keep_nobody_out_for_however_long() {
    let fake = Arc::new(Fake::default());
    // Memory for four that have begun.
    let here = process(&fake, Settings { buffer_bytes: 1 << 20, ..settings() });
    let (end, ended) = tokio::sync::watch::channel(false);
    let slow = (0..5).map(|_| async {
        let upload = UploadId::random();
        let staged = here.stage(at(upload, 0), trickle(Bytes::from_static(b"first"), ended.clone())).await;
        (upload, staged.unwrap())
    });
    let fast = async {
        // One of them always waits, and all of them give back what they have each second.
        tokio::time::sleep(Duration::from_mins(10)).await;
        let mut pieces: HashMap<String, usize> = HashMap::new();
        for path in left(&fake).await.0 {
            *pieces.entry(path.rsplit_once('/').unwrap().0.to_owned()).or_default() += 1;
        }
        assert!(pieces.len() == 5 && pieces.values().all(|&count| count <= 2), "{pieces:?}");
        let (upload, whole) = (UploadId::random(), bytes(15, 1_000_000));
        let staged = here.stage(at(upload, 0), body(&whole, 65_536, false));
        let staged = tokio::time::timeout(Duration::from_secs(30), staged).await.expect("kept out").unwrap();
        here.seal(after(upload, &staged), &sha256(&whole)).await.unwrap();
        end.send(true).unwrap();
    };
    for (upload, staged) in futures_util::future::join(futures_util::future::join_all(slow), fast).await.0 {
        let whole = [b"first", &vec![b'x'; staged.size as usize - 5][..]].concat();
        here.seal(after(upload, &staged), &sha256(&whole)).await.unwrap();
    }
    assert_eq!(left(&fake).await, (vec![], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_large_uploads_at_once_never_wait_in_a_circle() {
    let fake = Arc::new(Fake::default());
    let here = process(&fake, settings());
    let uploads = (0..30_u64).map(|seed| {
        let here = &here;
        async move {
            let (upload, whole) = (UploadId::random(), bytes(seed, 11_000_000));
            let staged = here.stage(at(upload, 0), body(&whole, 100_000, false)).await.unwrap();
            here.seal(after(upload, &staged), &sha256(&whole)).await.unwrap();
        }
    });
    let all = futures_util::future::join_all(uploads);
    tokio::time::timeout(Duration::from_mins(2), all).await.expect("they wait for each other");
    assert_eq!(left(&fake).await, (vec![], 0));
}
