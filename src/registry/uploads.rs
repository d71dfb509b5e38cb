//! Uploads: a session is opened, bytes are appended, and the whole becomes a blob under its digest
//! (distribution-spec, "Pushing blobs").

use crate::metadata::intents::IntentId;
use crate::metadata::uploads::{Opened, Upload};
use crate::oci::digest::{Algorithm, Digest};
use crate::oci::repository::Repository;
use crate::oci::upload::UploadId;
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::registry::sessions::Held;
use crate::registry::{mount, recover};
use crate::storage::blobs::{Sealed, Staging};
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

/// Opens a session.
pub async fn begin(registry: &Registry, repository: &Repository, algorithm: Algorithm) -> Result<Upload> {
    let upload = Upload {
        id: UploadId::random(),
        repository: repository.clone(),
        algorithm,
        offset: 0,
        touched: registry.clock.unix_secs(),
    };
    match registry.metadata.uploads.open(&upload, registry.config.uploads_max).await? {
        Opened::Open => Ok(upload),
        Opened::TooMany => Err(Error::UploadsTooMany),
    }
}

/// How far a session is.
pub async fn status(registry: &Registry, repository: &Repository, id: UploadId) -> Result<Upload> {
    registry.metadata.uploads.find(repository, id).await?.ok_or(Error::UploadUnknown)
}

/// Appends a chunk; answers the session as it stands after it.
pub async fn append(
    registry: &Registry,
    repository: &Repository,
    id: UploadId,
    chunk: Chunk,
) -> Result<Upload> {
    let _held = hold(registry, id)?;
    let upload = status(registry, repository, id).await?;
    stage(registry, upload, chunk).await
}

/// Appends the last chunk, if there is one, and puts the whole under its digest.
pub async fn finish(
    registry: &Registry,
    repository: &Repository,
    id: UploadId,
    chunk: Chunk,
    digest: &Digest,
) -> Result<()> {
    let _held = hold(registry, id)?;
    let mut upload = status(registry, repository, id).await?;
    if upload.offset == 0 {
        upload.algorithm = digest.algorithm(); // nothing is hashed yet
    }
    let (intent, staged) = tokio::join!(intend(registry, repository, digest), stage(registry, upload, chunk));
    let intent = intent?;
    let sealed = match staged {
        Ok(upload) => seal(registry, &upload, digest).await,
        Err(error) => Err(error),
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
    let id = UploadId::random();
    let staging = Staging { upload: id, offset: 0, algorithm: digest.algorithm() };
    let (intent, staged) = tokio::join!(intend(registry, repository, digest), async {
        match chunk.bytes {
            Some(bytes) => match registry.storage.blobs.stage(staging, bytes).await? {
                staged if staged.cut.is_none() => Ok(Staging { offset: staged.size, ..staging }),
                staged => Err(Error::Cut(staged.cut.unwrap_or_else(|| std::io::ErrorKind::Other.into()))),
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
    let sealed = match staged {
        Ok(staging) => seal_staging(registry, staging, digest).await,
        Err(error) => Err(error),
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
pub async fn cancel(registry: &Registry, repository: &Repository, id: UploadId) -> Result<()> {
    let _held = hold(registry, id)?;
    status(registry, repository, id).await?;
    drop_session(registry, id).await
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

fn hold(registry: &Registry, id: UploadId) -> Result<Held<'_>> {
    registry.sessions.hold(id).ok_or(Error::UploadBusy)
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
    let touched = registry.clock.unix_secs();
    if !registry.metadata.uploads.extend(&upload, staged.size, touched).await? {
        return Err(Error::UploadUnknown);
    }
    match staged.cut {
        None => Ok(Upload { offset: staged.size, touched, ..upload }),
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
    Staging { upload: upload.id, offset: upload.offset, algorithm: upload.algorithm }
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

    #[tokio::test]
    async fn only_uploads_that_stood_still_for_long_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        // Staged files are as old as the system says, so the clock begins there.
        let clock = Arc::new(FixedClock::at(SystemClock.unix_secs()));
        let storage = storage::open::open(&storage::config::Config::default(), folder.path()).unwrap();
        let at = folder.path().join("metadata");
        let opened = metadata::open::open(&metadata::config::Config::default(), &at, 0).unwrap();
        let (rules, now) = (Config::default(), Arc::clone(&clock) as Arc<dyn Clock>);
        let idle = rules.upload_idle_secs;
        let registry = Registry::new(storage, opened.metadata, now, rules);
        let app: Repository = "app".parse().unwrap();
        let [old, held] = [0, 1].map(|_| begin(&registry, &app, Algorithm::Sha256));
        let (old, held) = (old.await.unwrap().id, held.await.unwrap().id);
        append(&registry, &app, old, chunk()).await.unwrap();
        assert_eq!(purge(&registry).await.unwrap(), 0);
        clock.advance(idle + 60);
        let fresh = begin(&registry, &app, Algorithm::Sha256).await.unwrap().id;
        let writing = registry.sessions.hold(held).unwrap();
        assert_eq!(purge(&registry).await.unwrap(), 1, "not the fresh one, and not the one being written to");
        assert!(matches!(status(&registry, &app, old).await, Err(Error::UploadUnknown)));
        assert!(status(&registry, &app, fresh).await.is_ok() && status(&registry, &app, held).await.is_ok());
        let staged = registry.storage.blobs.staged_before(u64::MAX).await.unwrap();
        assert_eq!(staged, [], "its bytes are gone");
        drop(writing);
        assert_eq!(purge(&registry).await.unwrap(), 1);
    }
}
