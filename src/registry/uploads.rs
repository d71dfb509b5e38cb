//! Uploads: a session is opened, bytes are appended, and the whole becomes a blob under its digest
//! (distribution-spec, "Pushing blobs").

use crate::metadata::intents::IntentId;
use crate::metadata::uploads::{Opened, Progress, Upload};
use crate::oci::digest::{Algorithm, Digest};
use crate::oci::repository::Repository;
use crate::oci::upload::UploadId;
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::registry::sessions::Held;
use crate::registry::{mount, turns};
use crate::storage::blobs::{Sealed, Staged, Staging};
use crate::storage::error::Error as StorageError;
use crate::stream::ByteStream;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// How often it is told that a session is being written to: a quarter of the time after which it counts as idle, within
/// these bounds.
const BEAT_LEAST: Duration = Duration::from_secs(1);
const BEAT_MOST: Duration = Duration::from_mins(1);
/// How often a session is asked for again that others are writing to, before it is left to whoever purges.
const TRIES: usize = 3;

/// Bytes on their way in.
pub struct Chunk {
    /// The bytes. `None`: there are none, and that is known.
    pub bytes: Option<ByteStream>,
    /// Their number, if the client said it before sending them.
    pub length: Option<u64>,
    /// Where they belong: first and last position, both inclusive.
    pub range: Option<(u64, u64)>,
}

impl Chunk {
    /// Whether the chunk goes where an upload stands, as far as the client's words tell.
    fn fits(&self, offset: u64) -> bool {
        let Some((first, last)) = self.range else { return true };
        first == offset
            && last >= first
            && self.length.is_none_or(|length| length.checked_sub(1) == Some(last - first))
    }
}

/// A session as a client names it, and who that is.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The session.
    pub id: UploadId,
    /// The account that asks. A session of another one does not exist for it.
    pub owner: &'a str,
}

/// Opens a session for an account: `owner` names it, and is empty where there are no accounts.
pub async fn begin(
    registry: &Registry,
    repository: &Repository,
    algorithm: Algorithm,
    owner: &str,
) -> Result<Upload> {
    registry.read_only.change()?;
    let upload = Upload {
        id: UploadId::random(),
        repository: repository.clone(),
        algorithm,
        offset: 0,
        checkpoint: None,
        touched: registry.clock.unix_secs(),
        owner: owner.into(),
    };
    match registry.metadata.uploads.open(&upload, registry.config.uploads_max).await? {
        Opened::Open => Ok(upload),
        Opened::TooMany => Err(Error::UploadsTooMany),
    }
}

/// How far a session is.
pub async fn status(registry: &Registry, session: Session<'_>) -> Result<Upload> {
    let found = registry.metadata.uploads.find(session.repository, session.id).await?;
    found.filter(|upload| upload.owner == session.owner).ok_or(Error::UploadUnknown)
}

/// Appends a chunk; answers the session as it stands after it.
pub async fn append(registry: &Registry, session: Session<'_>, chunk: Chunk) -> Result<Upload> {
    registry.read_only.change()?;
    let (upload, _held) = held(registry, session).await?;
    stage(registry, upload, chunk, None).await
}

/// Appends the last chunk, if there is one, and puts the whole under its digest.
pub async fn finish(registry: &Registry, session: Session<'_>, chunk: Chunk, digest: &Digest) -> Result<()> {
    let Session { repository, id, .. } = session;
    registry.read_only.change()?;
    let (mut upload, _held) = held(registry, session).await?;
    let mut known = None;
    if upload.offset == 0 {
        // Nothing is hashed yet, and nothing has gone anywhere.
        upload.algorithm = digest.algorithm();
        known = Some(*digest);
    }
    let staging = stage(registry, upload, chunk, known);
    let (intent, upload) = intend(registry, repository, digest, staging).await?;
    // Not before the bytes are here: a change that is under way must not depend on how fast its client sends.
    let change = registry.read_only.change();
    let sealed = match &change {
        Ok(_) => seal(registry, &upload, digest).await,
        Err(refused) => Err((*refused).into()),
    };
    match sealed {
        Ok(size) => {
            mount::hold(registry, repository, digest, size, intent).await?;
            // The blob is there, and so is the fact: that is what was asked for. A session that stays is purged.
            if let Err(error) = registry.metadata.uploads.close(id).await {
                tracing::warn!(%error, upload = %id, "an upload that is finished could not be closed");
            }
            Ok(())
        }
        Err(error) => {
            turns::end(registry, intent).await;
            Err(error)
        }
    }
}

/// Takes a whole blob in one request, without a session.
pub async fn whole(
    registry: &Registry,
    repository: &Repository,
    chunk: Chunk,
    digest: &Digest,
) -> Result<()> {
    registry.read_only.change()?;
    let id = UploadId::random();
    // It has no session; so it is not taken for what an earlier process has left.
    let _held = registry.sessions.hold(id);
    let algorithm = digest.algorithm();
    let shown_each = Some(beat(registry));
    let staging =
        Staging { upload: id, offset: 0, algorithm, checkpoint: None, known: Some(*digest), shown_each };
    let staging = async {
        match chunk.bytes {
            Some(bytes) => match registry.storage.blobs.stage(staging, bytes).await? {
                Staged { size, cut: None, checkpoint } => Ok(Staging { offset: size, checkpoint, ..staging }),
                Staged { cut: Some(cut), .. } => Err(Error::Cut(cut)),
            },
            None => Ok(staging),
        }
    };
    let (intent, staging) = match intend(registry, repository, digest, staging).await {
        Ok(both) => both,
        Err(error) => {
            registry.storage.blobs.discard(id).await?;
            return Err(error);
        }
    };
    let change = registry.read_only.change();
    let sealed = match &change {
        Ok(_) => seal_staging(registry, staging, digest).await,
        Err(refused) => Err((*refused).into()),
    };
    match sealed {
        Ok(size) => mount::hold(registry, repository, digest, size, intent).await,
        Err(error) => {
            turns::end(registry, intent).await;
            registry.storage.blobs.discard(id).await?;
            Err(error)
        }
    }
}

/// Ends a session; its bytes are dropped.
pub async fn cancel(registry: &Registry, session: Session<'_>) -> Result<()> {
    let (_, _held) = held(registry, session).await?;
    drop_session(registry, session.id).await
}

/// A session that is held for one request. Whether it is held already is told to its owner only.
async fn held<'a>(registry: &'a Registry, session: Session<'_>) -> Result<(Upload, Held<'a>)> {
    // Before it is read: what was read before it was held could have changed meanwhile. Somebody who may not have it holds
    // it for no longer than this one question, and would have to know a random id that only its owner was told.
    let held = registry.sessions.hold(session.id);
    let upload = status(registry, session).await?;
    Ok((upload, held.ok_or(Error::UploadBusy)?))
}

/// Stages bytes, and begins the intent to hold them; neither without the other. Where the intent would keep other
/// processes from the digest, it is not begun before the bytes are here: not for as long as a client cares to send.
async fn intend<T>(
    registry: &Registry,
    repository: &Repository,
    digest: &Digest,
    staging: impl Future<Output = Result<T>>,
) -> Result<(IntentId, T)> {
    let intent = mount::intent(repository, digest);
    // It would stand in this future twice.
    let staging = Box::pin(staging);
    if registry.metadata.shared.is_some() {
        let staged = staging.await?;
        return Ok((turns::begin(registry, &intent).await?, staged));
    }
    let (begun, staged) = tokio::join!(turns::begin(registry, &intent), staging);
    let id = begun?;
    if staged.is_err() {
        turns::end(registry, id).await;
    }
    Ok((id, staged?))
}

/// Stages a chunk and moves the offset; answers the session as it stands.
async fn stage(registry: &Registry, upload: Upload, chunk: Chunk, known: Option<Digest>) -> Result<Upload> {
    if !chunk.fits(upload.offset) {
        return Err(Error::OutOfOrder { offset: upload.offset });
    }
    let Some(bytes) = chunk.bytes else { return Ok(upload) };
    let writing = registry.storage.blobs.stage(Staging { known, ..staging(&upload) }, bytes);
    let staged = match alive(registry, &upload, writing).await {
        Err(StorageError::StagedLost) => return Err(lost(registry, &upload).await?),
        staged => staged?,
    };
    if let (Some((_, last)), None) = (chunk.range, &staged.cut)
        && last.checked_add(1) != Some(staged.size)
    {
        // A body without a length that is not as long as its range: not one byte of it counts.
        return Err(Error::OutOfOrder { offset: upload.offset });
    }
    let Staged { size: offset, checkpoint, cut } = staged;
    let to = Progress { offset, checkpoint, touched: registry.clock.unix_secs() };
    if !registry.metadata.uploads.extend(&upload, to).await? {
        // Another replica has moved it on, or closed it; what we have staged counts for nothing.
        let found = registry.metadata.uploads.find(&upload.repository, upload.id).await?;
        return Err(found.map_or(Error::UploadUnknown, |upload| Error::OutOfOrder { offset: upload.offset }));
    }
    match cut {
        None => Ok(Upload { offset, checkpoint, touched: to.touched, ..upload }),
        Some(cut) => Err(Error::Cut(cut)),
    }
}

/// How often others are shown that an upload is not left behind.
fn beat(registry: &Registry) -> Duration {
    (Duration::from_secs(registry.config.upload_idle_secs) / 4).clamp(BEAT_LEAST, BEAT_MOST)
}

/// Tells now and then that somebody is at work on a session, for as long as that takes: to other replicas it looks idle
/// until the body has ended, and while a large blob finds its place.
async fn alive<T>(registry: &Registry, upload: &Upload, work: impl Future<Output = T>) -> T {
    let beat = beat(registry);
    let mut ticks = tokio::time::interval_at(Instant::now() + beat, beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => {}
        }
        let (offset, checkpoint) = (upload.offset, upload.checkpoint);
        let touched = registry.clock.unix_secs();
        // Whether it still stands where it did is asked at the end. The next beat comes, if this one could not be told.
        let told = registry.metadata.uploads.extend(upload, Progress { offset, checkpoint, touched });
        tokio::select! {
            done = &mut work => return done,
            _ = told => {}
        }
    }
}

async fn seal(registry: &Registry, upload: &Upload, digest: &Digest) -> Result<u64> {
    match alive(registry, upload, seal_staging(registry, staging(upload), digest)).await {
        Err(Error::Storage(StorageError::StagedLost)) => Err(lost(registry, upload).await?),
        Err(mismatch @ Error::DigestMismatch { .. }) => {
            end_where_it_stands(registry, upload).await?; // these bytes can never become right
            Err(mismatch)
        }
        sealed => sealed,
    }
}

/// What is told of a session whose staged bytes are gone. A power cut has taken them, or another replica has moved the
/// session on from there meanwhile, and has replaced them: then its bytes are the ones that count.
async fn lost(registry: &Registry, upload: &Upload) -> Result<Error> {
    Ok(match end_where_it_stands(registry, upload).await? {
        Some(found) => Error::OutOfOrder { offset: found.offset },
        // Beginning again is all that is left.
        None => Error::UploadUnknown,
    })
}

/// Ends a session whose bytes are no good, if it stands where `upload` does. `Some`: another replica has moved it on; it
/// is left alone, and this is where it stands.
async fn end_where_it_stands(registry: &Registry, upload: &Upload) -> Result<Option<Upload>> {
    for _ in 0..TRIES {
        let Some(found) = registry.metadata.uploads.find(&upload.repository, upload.id).await? else { break };
        if (found.offset, found.checkpoint) != (upload.offset, upload.checkpoint) {
            return Ok(Some(found));
        }
        if registry.metadata.uploads.close_unchanged(&found).await? {
            registry.storage.blobs.discard(upload.id).await?;
            break;
        }
        // Somebody has told meanwhile that they are writing to it, and may have moved it on by now.
    }
    Ok(None)
}

async fn seal_staging(registry: &Registry, staging: Staging, digest: &Digest) -> Result<u64> {
    match registry.storage.blobs.seal(staging, digest).await? {
        Sealed::Stored { size } => Ok(size),
        Sealed::Mismatch { actual } => Err(Error::DigestMismatch { said: *digest, actual }),
    }
}

async fn drop_session(registry: &Registry, id: UploadId) -> Result<()> {
    registry.metadata.uploads.close(id).await?;
    registry.storage.blobs.discard(id).await?;
    Ok(())
}

fn staging(upload: &Upload) -> Staging {
    let Upload { id, offset, algorithm, checkpoint, .. } = *upload;
    Staging { upload: id, offset, algorithm, checkpoint, known: None, shown_each: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, FixedClock, SystemClock};
    use crate::metadata::uploads::Uploads;
    use crate::registry::config::Config;
    use crate::storage::blobs::{Blob, Blobs};
    use crate::{metadata, storage, stream};
    use bytes::Bytes;
    use std::sync::Arc;
    use tokio::sync::Notify;

    fn chunk() -> Chunk {
        let bytes = Bytes::from_static(b"begun");
        Chunk { length: Some(5), range: None, bytes: Some(stream::once(bytes)) }
    }

    /// A registry in a folder, and its clock.
    async fn registry(folder: &std::path::Path) -> (Registry, Arc<FixedClock>) {
        // Staged files are as old as the system says, so the clock begins there.
        let clock = Arc::new(FixedClock::at(SystemClock.unix_secs()));
        let storage = storage::open::open(&storage::config::Config::default(), folder).await.unwrap();
        let at = folder.join("metadata");
        let opened = metadata::open::open(&metadata::config::Config::default(), &at, 0).await.unwrap();
        let now = Arc::clone(&clock) as Arc<dyn Clock>;
        (Registry::new(storage, opened.metadata, now, Config::default()), clock)
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_not_idle_while_a_body_comes() {
        let folder = tempfile::tempdir().unwrap();
        let (registry, clock) = registry(folder.path()).await;
        let app: Repository = "app".parse().unwrap();
        let id = begin(&registry, &app, Algorithm::Sha256, "").await.unwrap().id;
        let (sending, body) = tokio::sync::mpsc::unbounded_channel();
        let bytes = futures_util::stream::unfold(body, |mut body| async {
            body.recv().await.map(|piece: std::io::Result<Bytes>| (piece, body))
        });
        let slow = Chunk { length: None, range: None, bytes: Some(Box::pin(bytes)) };
        let touched = async || registry.metadata.uploads.find(&app, id).await.unwrap().unwrap().touched;
        let before = touched().await;
        let watch = async {
            clock.advance(600);
            while touched().await == before {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            assert_eq!(touched().await, before + 600);
            sending.send(Ok(Bytes::from_static(b"begun"))).unwrap();
            drop(sending);
        };
        let (appended, ()) =
            tokio::join!(append(&registry, Session { repository: &app, id, owner: "" }, slow), watch);
        assert_eq!(appended.unwrap().offset, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_not_idle_while_its_blob_finds_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (here, clock) = registry(folder.path()).await;
        let (there, standing) = standing(&here, folder.path(), &clock, Ends::Well).await;
        let app: Repository = "app".parse().unwrap();
        let id = begin(&here, &app, Algorithm::Sha256, "").await.unwrap().id;
        let of = || Session { repository: &app, id, owner: "" };
        let watch = async {
            standing.reached.notified().await;
            clock.advance(here.config.upload_idle_secs + 60);
            let before = clock.unix_secs() - 1;
            while !here.metadata.uploads.stale(before, 9).await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            assert_eq!(crate::registry::stale::purge(&here, &|| true).await.unwrap(), 0);
            standing.goes_on.notify_one();
        };
        let digest = begun();
        let (finished, ()) = tokio::join!(finish(&there, of(), chunk(), &digest), watch);
        finished.unwrap();
        assert_eq!(here.metadata.blobs.size(&app, &digest).await.unwrap(), Some(5));
    }

    #[tokio::test]
    async fn of_two_replicas_that_write_one_is_told_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let (here, clock) = registry(folder.path()).await;
        // Its own storage too: within one process writers of an upload take turns.
        let storage = storage::open::open(&storage::config::Config::default(), folder.path()).await.unwrap();
        let there = Registry::new(storage, here.metadata.clone(), clock, Config::default());
        let app: Repository = "app".parse().unwrap();
        let id = begin(&here, &app, Algorithm::Sha256, "").await.unwrap().id;
        let of = || Session { repository: &app, id, owner: "" };
        let (sending, body) = tokio::sync::oneshot::channel();
        let bytes = Box::pin(futures_util::stream::once(async { Ok(body.await.unwrap()) }));
        let late = append(&here, of(), Chunk { length: Some(5), range: None, bytes: Some(bytes) });
        let meanwhile = async {
            assert_eq!(append(&there, of(), chunk()).await.unwrap().offset, 5);
            sending.send(Bytes::from_static(b"later")).unwrap();
        };
        let (late, ()) = tokio::join!(late, meanwhile);
        assert!(matches!(late, Err(Error::OutOfOrder { offset: 5 })), "{late:?}");
    }

    /// Blobs that stand still before they are staged or sealed, as if the process had been stopped there.
    struct Standing {
        blobs: Arc<dyn Blobs>,
        ends: Ends,
        reached: Notify,
        goes_on: Notify,
    }

    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Ends {
        Well,
        Lost,
        Mismatch,
    }

    #[async_trait::async_trait]
    impl Blobs for Standing {
        async fn stat(&self, digest: &Digest) -> storage::error::Result<Option<u64>> {
            self.blobs.stat(digest).await
        }

        async fn read(&self, digest: &Digest, from: u64, bytes: u64) -> storage::error::Result<Option<Blob>> {
            self.blobs.read(digest, from, bytes).await
        }

        async fn stage(&self, staging: Staging, body: ByteStream) -> storage::error::Result<Staged> {
            if self.ends == Ends::Lost {
                self.reached.notify_one();
                self.goes_on.notified().await;
                return Err(StorageError::StagedLost);
            }
            self.blobs.stage(staging, body).await
        }

        async fn seal(&self, staging: Staging, digest: &Digest) -> storage::error::Result<Sealed> {
            self.reached.notify_one();
            self.goes_on.notified().await;
            match self.ends {
                Ends::Well => self.blobs.seal(staging, digest).await,
                Ends::Lost => Err(StorageError::StagedLost),
                Ends::Mismatch => Ok(Sealed::Mismatch { actual: begun() }),
            }
        }

        async fn put(&self, digest: &Digest, bytes: Bytes) -> storage::error::Result<()> {
            self.blobs.put(digest, bytes).await
        }

        async fn discard(&self, upload: UploadId) -> storage::error::Result<()> {
            self.blobs.discard(upload).await
        }

        async fn staged_before(&self, unix_secs: u64) -> storage::error::Result<Vec<UploadId>> {
            self.blobs.staged_before(unix_secs).await
        }
    }

    /// Another replica of a registry on the same folder, which stands still where it is told to.
    async fn standing(
        of: &Registry,
        folder: &std::path::Path,
        clock: &Arc<FixedClock>,
        ends: Ends,
    ) -> (Registry, Arc<Standing>) {
        let opened = storage::open::open(&storage::config::Config::default(), folder).await.unwrap();
        let (reached, goes_on) = (Notify::new(), Notify::new());
        let standing = Arc::new(Standing { blobs: opened.blobs.clone(), ends, reached, goes_on });
        let storage = storage::open::Storage { blobs: Arc::clone(&standing) as _, ..opened };
        let now = Arc::clone(clock) as Arc<dyn Clock>;
        (Registry::new(storage, of.metadata.clone(), now, Config::default()), standing)
    }

    fn begun() -> Digest {
        crate::oci::hasher::digest(Algorithm::Sha256, b"begun")
    }

    fn nothing() -> Chunk {
        Chunk { bytes: None, length: Some(0), range: None }
    }

    #[tokio::test]
    async fn who_has_lost_a_session_to_another_replica_leaves_it_alone() {
        for (ends, finishes) in [(Ends::Lost, false), (Ends::Lost, true), (Ends::Mismatch, true)] {
            let folder = tempfile::tempdir().unwrap();
            let (here, clock) = registry(folder.path()).await;
            let (there, standing) = standing(&here, folder.path(), &clock, ends).await;
            let app: Repository = "app".parse().unwrap();
            for moved_on in [true, false] {
                let id = begin(&here, &app, Algorithm::Sha256, "").await.unwrap().id;
                let of = || Session { repository: &app, id, owner: "" };
                append(&here, of(), chunk()).await.unwrap();
                let late = async {
                    if finishes {
                        finish(&there, of(), nothing(), &begun()).await.unwrap_err()
                    } else {
                        append(&there, of(), chunk()).await.unwrap_err()
                    }
                };
                let meanwhile = async {
                    standing.reached.notified().await;
                    if moved_on {
                        assert_eq!(append(&here, of(), chunk()).await.unwrap().offset, 10);
                    }
                    standing.goes_on.notify_one();
                };
                let (late, ()) = tokio::join!(late, meanwhile);
                match (ends, moved_on) {
                    (Ends::Mismatch, _) => assert!(matches!(late, Error::DigestMismatch { .. }), "{late:?}"),
                    (_, true) => assert!(matches!(late, Error::OutOfOrder { offset: 10 }), "{late:?}"),
                    (_, false) => assert!(matches!(late, Error::UploadUnknown), "{late:?}"),
                }
                let staged = here.storage.blobs.staged_before(u64::MAX).await.unwrap();
                if moved_on {
                    assert_eq!((status(&here, of()).await.unwrap().offset, staged), (10, vec![id]));
                    cancel(&here, of()).await.unwrap();
                } else {
                    assert!(matches!(status(&here, of()).await, Err(Error::UploadUnknown)));
                    assert_eq!(staged, []);
                }
            }
        }
    }

    /// Open uploads of a database that breaks when one is to be closed.
    struct Unclosed(Arc<dyn Uploads>);

    #[async_trait::async_trait]
    impl Uploads for Unclosed {
        async fn open(&self, upload: &Upload, uploads_max: u64) -> metadata::error::Result<Opened> {
            self.0.open(upload, uploads_max).await
        }

        async fn find(&self, of: &Repository, id: UploadId) -> metadata::error::Result<Option<Upload>> {
            self.0.find(of, id).await
        }

        async fn extend(&self, upload: &Upload, to: Progress) -> metadata::error::Result<bool> {
            self.0.extend(upload, to).await
        }

        async fn is_open(&self, id: UploadId) -> metadata::error::Result<bool> {
            self.0.is_open(id).await
        }

        async fn close(&self, _: UploadId) -> metadata::error::Result<bool> {
            Err(metadata::error::Error::Unreachable("it breaks just now".into()))
        }

        async fn close_unchanged(&self, upload: &Upload) -> metadata::error::Result<bool> {
            self.0.close_unchanged(upload).await
        }

        async fn stale(&self, touched: u64, count: usize) -> metadata::error::Result<Vec<Upload>> {
            self.0.stale(touched, count).await
        }
    }

    #[tokio::test]
    async fn a_blob_that_is_stored_is_stored_though_its_upload_cannot_be_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (mut registry, clock) = registry(folder.path()).await;
        registry.metadata.uploads = Arc::new(Unclosed(Arc::clone(&registry.metadata.uploads)));
        let app: Repository = "app".parse().unwrap();
        let id = begin(&registry, &app, Algorithm::Sha256, "").await.unwrap().id;
        let of = || Session { repository: &app, id, owner: "" };
        finish(&registry, of(), chunk(), &begun()).await.unwrap();
        assert_eq!(registry.metadata.blobs.size(&app, &begun()).await.unwrap(), Some(5));
        clock.advance(registry.config.upload_idle_secs + 60);
        assert_eq!(crate::registry::stale::purge(&registry, &|| true).await.unwrap(), 1);
        assert_eq!(registry.metadata.blobs.size(&app, &begun()).await.unwrap(), Some(5));
    }

    #[tokio::test]
    async fn an_upload_is_there_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let (registry, _) = registry(folder.path()).await;
        let app: Repository = "app".parse().unwrap();
        let digest = crate::oci::hasher::digest(Algorithm::Sha256, b"begun");
        let id = begin(&registry, &app, Algorithm::Sha256, "user:alice").await.unwrap().id;
        let of = |owner| Session { repository: &app, id, owner };
        append(&registry, of("user:alice"), chunk()).await.unwrap();
        // Also while its owner writes to it: that it is busy would tell that it is there.
        for busy in [false, true] {
            let _writing = busy.then(|| registry.sessions.hold(id).unwrap());
            for owner in ["user:bob", "service-account:alice", "user:Alice", "user:alice2", ""] {
                let answers = [
                    status(&registry, of(owner)).await.err(),
                    append(&registry, of(owner), chunk()).await.err(),
                    finish(&registry, of(owner), nothing(), &digest).await.err(),
                    cancel(&registry, of(owner)).await.err(),
                ];
                for answer in answers {
                    assert!(matches!(answer, Some(Error::UploadUnknown)), "{owner}: {answer:?}");
                }
            }
            let appended = append(&registry, of("user:alice"), chunk()).await;
            assert_eq!(matches!(appended, Err(Error::UploadBusy)), busy, "{appended:?}");
            assert_eq!(status(&registry, of("user:alice")).await.unwrap().offset, 10);
        }
        let both = crate::oci::hasher::digest(Algorithm::Sha256, b"begunbegun");
        finish(&registry, of("user:alice"), nothing(), &both).await.unwrap();
        assert_eq!(registry.metadata.blobs.size(&app, &both).await.unwrap(), Some(10));
    }
}
