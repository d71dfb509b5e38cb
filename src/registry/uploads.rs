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
use crate::registry::{mount, recover};
use crate::storage::blobs::{Sealed, Staged, Staging};
use crate::storage::error::Error as StorageError;
use crate::stream::ByteStream;

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
    stage(registry, upload, chunk).await
}

/// Appends the last chunk, if there is one, and puts the whole under its digest.
pub async fn finish(registry: &Registry, session: Session<'_>, chunk: Chunk, digest: &Digest) -> Result<()> {
    let Session { repository, id, .. } = session;
    registry.read_only.change()?;
    let (mut upload, _held) = held(registry, session).await?;
    if upload.offset == 0 {
        upload.algorithm = digest.algorithm(); // nothing is hashed yet
    }
    let (intent, staged) = tokio::join!(intend(registry, repository, digest), stage(registry, upload, chunk));
    let intent = intent?;
    // Not before the bytes are here: a change that is under way must not depend on how fast its client sends.
    let change = registry.read_only.change();
    let sealed = match (staged, &change) {
        (Ok(upload), Ok(_)) => seal(registry, &upload, digest).await,
        (Ok(_), Err(refused)) => Err((*refused).into()),
        (Err(error), _) => Err(error),
    };
    match sealed {
        Ok(size) => {
            mount::hold(registry, repository, digest, size, intent).await?;
            registry.metadata.uploads.close(id).await?;
            Ok(())
        }
        Err(error) => {
            registry.metadata.intents.end(intent).await?;
            if matches!(error, Error::DigestMismatch { .. }) {
                drop_session(registry, id).await?; // these bytes can never become right
            }
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
    let algorithm = digest.algorithm();
    let staging = Staging { upload: id, offset: 0, algorithm, checkpoint: None, known: Some(*digest) };
    let (intent, staged) = tokio::join!(intend(registry, repository, digest), async {
        match chunk.bytes {
            Some(bytes) => match registry.storage.blobs.stage(staging, bytes).await? {
                Staged { size, cut: None, checkpoint } => Ok(Staging { offset: size, checkpoint, ..staging }),
                Staged { cut: Some(cut), .. } => Err(Error::Cut(cut)),
            },
            None => Ok(staging),
        }
    });
    let intent = match intent {
        Ok(intent) => intent,
        Err(error) => {
            registry.storage.blobs.discard(id).await?;
            return Err(error);
        }
    };
    let change = registry.read_only.change();
    let sealed = match (staged, &change) {
        (Ok(staging), Ok(_)) => seal_staging(registry, staging, digest).await,
        (Ok(_), Err(refused)) => Err((*refused).into()),
        (Err(error), _) => Err(error),
    };
    match sealed {
        Ok(size) => mount::hold(registry, repository, digest, size, intent).await,
        Err(error) => {
            registry.metadata.intents.end(intent).await?;
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

/// Drops sessions that nobody has written to for long, and staged bytes without a session. Answers how many.
pub async fn purge(registry: &Registry) -> Result<usize> {
    const AT_ONCE: usize = 256;
    let before = registry.clock.unix_secs().saturating_sub(registry.config.upload_idle_secs);
    let mut dropped = 0;
    loop {
        let stale = registry.metadata.uploads.stale(before, AT_ONCE).await?;
        let mut round = 0;
        for upload in stale {
            let Some(_held) = registry.sessions.hold(upload.id) else { continue };
            // Somebody may have gone on with it since it was listed.
            if registry.metadata.uploads.find(&upload.repository, upload.id).await?.as_ref() == Some(&upload)
            {
                drop_session(registry, upload.id).await?;
                round += 1;
            }
        }
        dropped += round;
        if round < AT_ONCE {
            break;
        }
    }
    for id in registry.storage.blobs.staged_before(before).await? {
        if let Some(_held) = registry.sessions.hold(id) {
            drop_session(registry, id).await?;
            dropped += 1;
        }
    }
    Ok(dropped)
}

/// A session that is held for one request. Whether it is held already is told to its owner only.
async fn held<'a>(registry: &'a Registry, session: Session<'_>) -> Result<(Upload, Held<'a>)> {
    status(registry, session).await?;
    let held = registry.sessions.hold(session.id).ok_or(Error::UploadBusy)?;
    // What was read before it was held may have changed meanwhile.
    Ok((status(registry, session).await?, held))
}

async fn intend(registry: &Registry, repository: &Repository, digest: &Digest) -> Result<IntentId> {
    recover::begin(registry, &mount::intent(repository, digest)).await
}

/// Stages a chunk and moves the offset; answers the session as it stands.
async fn stage(registry: &Registry, upload: Upload, chunk: Chunk) -> Result<Upload> {
    if !chunk.fits(upload.offset) {
        return Err(Error::OutOfOrder { offset: upload.offset });
    }
    let Some(bytes) = chunk.bytes else { return Ok(upload) };
    let staged = match registry.storage.blobs.stage(staging(&upload), bytes).await {
        Err(StorageError::StagedLost) => {
            // A power cut took staged bytes that the session counts. Beginning again is all that is left.
            drop_session(registry, upload.id).await?;
            return Err(Error::UploadUnknown);
        }
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
        return Err(Error::UploadUnknown);
    }
    match cut {
        None => Ok(Upload { offset, checkpoint, touched: to.touched, ..upload }),
        Some(cut) => Err(Error::Cut(cut)),
    }
}

async fn seal(registry: &Registry, upload: &Upload, digest: &Digest) -> Result<u64> {
    match seal_staging(registry, staging(upload), digest).await {
        Err(Error::Storage(StorageError::StagedLost)) => {
            drop_session(registry, upload.id).await?;
            Err(Error::UploadUnknown)
        }
        sealed => sealed,
    }
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
    Staging { upload: id, offset, algorithm, checkpoint, known: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, FixedClock, SystemClock};
    use crate::registry::config::Config;
    use crate::{metadata, storage, stream};
    use bytes::Bytes;
    use std::sync::Arc;

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

    #[tokio::test]
    async fn only_uploads_that_stood_still_for_long_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (registry, clock) = registry(folder.path()).await;
        let app: Repository = "app".parse().unwrap();
        let of = |id| Session { repository: &app, id, owner: "" };
        let [old, held] = [0, 1].map(|_| begin(&registry, &app, Algorithm::Sha256, ""));
        let (old, held) = (old.await.unwrap().id, held.await.unwrap().id);
        append(&registry, of(old), chunk()).await.unwrap();
        assert_eq!(purge(&registry).await.unwrap(), 0);
        clock.advance(registry.config.upload_idle_secs + 60);
        let fresh = begin(&registry, &app, Algorithm::Sha256, "").await.unwrap().id;
        let writing = registry.sessions.hold(held).unwrap();
        assert_eq!(purge(&registry).await.unwrap(), 1, "not the fresh one, and not the one being written to");
        assert!(matches!(status(&registry, of(old)).await, Err(Error::UploadUnknown)));
        assert!(status(&registry, of(fresh)).await.is_ok() && status(&registry, of(held)).await.is_ok());
        let staged = registry.storage.blobs.staged_before(u64::MAX).await.unwrap();
        assert_eq!(staged, [], "its bytes are gone");
        drop(writing);
        assert_eq!(purge(&registry).await.unwrap(), 1);
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
        let nothing = || Chunk { bytes: None, length: Some(0), range: None };
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
