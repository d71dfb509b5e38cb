//! The contract of uploads, on a bucket in memory and on an S3 server in this process; uploads that two processes
//! carry on in turns; what each step costs in requests; failures and lost answers; clients that trickle.

use crate::oci::digest::{Algorithm, Digest};
use crate::oci::hasher;
use crate::oci::upload::UploadId;
use crate::storage::blobs::{Blob, Blobs, Sealed, Staged, Staging};
use crate::storage::contract::{self, after, at, body, bytes, read, sha256};
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::object::bucket::{Bucket, failed};
use crate::storage::object::uploads::fake::Fake;
use crate::storage::object::uploads::store::{Settings, Uploads};
use crate::stream::{self, ByteStream};
use bytes::Bytes;
use futures_util::StreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStore, ObjectStoreExt};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// Uploads, and as much of the trait around them as the contract asks for.
struct Alone(Uploads);

#[async_trait::async_trait]
impl Blobs for Alone {
    async fn stat(&self, digest: &Digest) -> Result<Option<u64>> {
        let place = layout::blob(digest);
        match self.0.objects.bucket.objects.head(&self.0.objects.bucket.at(&place)?).await {
            Ok(there) => Ok(Some(there.size)),
            Err(error) => failed(&place, error).map_or(Ok(None), Err),
        }
    }

    async fn read(&self, digest: &Digest, offset: u64, length: u64) -> Result<Option<Blob>> {
        let Some(size) = self.stat(digest).await? else { return Ok(None) };
        let end = offset.saturating_add(length).min(size);
        if offset >= end {
            return Ok(Some(Blob { size, bytes: stream::empty() }));
        }
        let path = self.0.objects.bucket.at(&layout::blob(digest))?;
        let read = self.0.objects.bucket.objects.get_range(&path, offset..end).await.unwrap();
        Ok(Some(Blob { size, bytes: stream::once(read) }))
    }

    async fn stage(&self, staging: Staging, body: ByteStream) -> Result<Staged> {
        self.0.stage(staging, body).await
    }

    async fn seal(&self, staging: Staging, digest: &Digest) -> Result<Sealed> {
        self.0.seal(staging, digest).await
    }

    async fn put(&self, _: &Digest, _: Bytes) -> Result<()> {
        unreachable!()
    }

    async fn discard(&self, upload: UploadId) -> Result<()> {
        self.0.discard(upload).await
    }

    async fn staged_before(&self, unix_secs: u64) -> Result<Vec<UploadId>> {
        self.0.staged_before(unix_secs).await
    }
}

fn settings() -> Settings {
    Settings { part_bytes: 5 * MIB, buffer_bytes: 40 * MIB, ..Settings::default() }
}

fn process(fake: &Arc<Fake>, settings: Settings) -> Alone {
    let bucket = Bucket {
        objects: Arc::clone(fake) as Arc<dyn ObjectStore>,
        parts: Arc::clone(fake) as Arc<dyn object_store::multipart::MultipartStore>,
        signer: None,
        prefix: "pre/fix".into(),
    };
    Alone(Uploads::new(bucket, settings))
}

/// An S3 server on a folder, as long as this stands.
struct Served {
    uploads: Alone,
    _folder: tempfile::TempDir,
    _server: tokio::task::JoinSet<()>,
}

async fn served() -> Served {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bucket")).unwrap();
    let mut builder = s3s::service::S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
    builder.set_auth(s3s::auth::SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let service = service.clone();
            connections.spawn(async move {
                let http = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                http.serve_connection(hyper_util::rt::TokioIo::new(socket), service).await.ok();
            });
        }
    });
    let s3 = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name("bucket")
        .with_access_key_id("key")
        .with_secret_access_key("secret");
    let s3 = Arc::new(s3.build().unwrap());
    let bucket = Bucket { objects: s3.clone(), parts: s3, signer: None, prefix: String::new() };
    Served { uploads: Alone(Uploads::new(bucket, settings())), _folder: folder, _server: server }
}

macro_rules! contract_in_memory {
    ($($name:ident)+) => {
        mod contract_in_memory {
            $(#[tokio::test] async fn $name() {
                let fake = super::Arc::default();
                super::contract::$name(&super::process(&fake, super::settings())).await;
            })+
        }
    };
}

macro_rules! contract_s3 {
    ($($name:ident)+) => {
        mod contract_s3 {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() {
                super::contract::$name(&super::served().await.uploads).await;
            })+
        }
    };
}

contract_in_memory! {
    blobs_are_read_as_they_were_staged
    uploads_come_in_pieces
    the_offset_rules
    a_wrong_digest_is_told
    another_algorithm_seals_too
    the_empty_blob
    uploads_are_swept
}

// Not with SHA-512: this server makes file names of whole paths, and those are too long then.
contract_s3! {
    blobs_are_read_as_they_were_staged
    uploads_come_in_pieces
    the_offset_rules
    a_wrong_digest_is_told
    the_empty_blob
    uploads_are_swept
}

/// What is left below the staging folder, and of multipart uploads.
async fn left(fake: &Fake) -> (Vec<String>, usize) {
    let staged = |path: &String| path.contains(layout::STAGING);
    (fake.paths().await.into_iter().filter(staged).collect(), fake.open_count())
}

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

#[tokio::test(start_paused = true)]
async fn an_upload_that_takes_long_shows_that_it_is_not_left_behind() {
    let fake = Arc::new(Fake::default());
    let (here, upload, whole) = (process(&fake, settings()), UploadId::random(), bytes(13, 21 << 20));
    let pieces: Vec<Bytes> = (0..21).map(|nth| whole.slice(nth << 20..(nth + 1) << 20)).collect();
    let hours = futures_util::stream::iter(pieces).then(|piece| async {
        tokio::time::sleep(Duration::from_mins(5)).await;
        Ok(piece)
    });
    let staged = here.stage(at(upload, 0), hours.boxed()).await.unwrap();
    let marked = fake.requests().iter().filter(|r| r.starts_with("PUT") && r.ends_with(".multipart")).count();
    assert_eq!(marked, 5, "when it begins, and with each part that comes later than ten minutes after");
    here.seal(after(upload, &staged), &sha256(&whole)).await.unwrap();
    assert_eq!(left(&fake).await, (vec![], 0));
}
