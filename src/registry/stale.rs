//! Dropping uploads that nobody goes on with: a rule for a clock, which one process at a time follows for all.

use crate::registry::error::Result;
use crate::registry::parts::Registry;

/// Drops sessions that nobody has written to for long, and staged bytes without a session. Asks `may` before each that
/// it drops: whoever has stood still for too long leaves the rest to others. Answers how many were dropped.
pub async fn purge(registry: &Registry, may: &(dyn Fn() -> bool + Sync)) -> Result<usize> {
    const AT_ONCE: usize = 256;
    let before = registry.clock.unix_secs().saturating_sub(registry.config.upload_idle_secs);
    let mut dropped = 0;
    loop {
        let mut round = 0;
        for upload in registry.metadata.uploads.stale(before, AT_ONCE).await? {
            let Some(_held) = registry.sessions.hold(upload.id) else { continue };
            if !may() {
                return Ok(dropped + round);
            }
            // Somebody may have gone on with it since it was listed, here or elsewhere.
            if registry.metadata.uploads.close_unchanged(&upload).await? {
                registry.storage.blobs.discard(upload.id).await?;
                round += 1;
            }
        }
        dropped += round;
        if round < AT_ONCE {
            break;
        }
    }
    for id in registry.storage.blobs.staged_before(before).await? {
        let Some(_held) = registry.sessions.hold(id) else { continue };
        if !may() {
            break;
        }
        // A session that is open is told of above, once it is stale: its last bytes may be old, and it is not.
        if !registry.metadata.uploads.is_open(id).await? {
            registry.storage.blobs.discard(id).await?;
            dropped += 1;
        }
    }
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, FixedClock, SystemClock};
    use crate::oci::digest::Algorithm;
    use crate::oci::repository::Repository;
    use crate::registry::config::Config;
    use crate::registry::error::Error;
    use crate::registry::uploads::{Chunk, Session, append, begin, status};
    use crate::{metadata, storage, stream};
    use bytes::Bytes;
    use std::sync::Arc;

    fn chunk() -> Chunk {
        Chunk { length: Some(5), range: None, bytes: Some(stream::once(Bytes::from_static(b"begun"))) }
    }

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
        assert_eq!(purge(&registry, &|| true).await.unwrap(), 0);
        clock.advance(registry.config.upload_idle_secs + 60);
        let fresh = begin(&registry, &app, Algorithm::Sha256, "").await.unwrap().id;
        let writing = registry.sessions.hold(held).unwrap();
        assert_eq!(purge(&registry, &|| false).await.unwrap(), 0, "it is somebody else's work now");
        assert!(status(&registry, of(old)).await.is_ok());
        let dropped = purge(&registry, &|| true).await.unwrap();
        assert_eq!(dropped, 1, "not the fresh one, and not the one being written to");
        assert!(matches!(status(&registry, of(old)).await, Err(Error::UploadUnknown)));
        assert!(status(&registry, of(fresh)).await.is_ok() && status(&registry, of(held)).await.is_ok());
        let staged = registry.storage.blobs.staged_before(u64::MAX).await.unwrap();
        assert_eq!(staged, [], "its bytes are gone");
        drop(writing);
        assert_eq!(purge(&registry, &|| true).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn old_bytes_of_a_session_that_is_written_to_elsewhere_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (registry, clock) = registry(folder.path()).await;
        let app: Repository = "app".parse().unwrap();
        let id = begin(&registry, &app, Algorithm::Sha256, "").await.unwrap().id;
        let upload = append(&registry, Session { repository: &app, id, owner: "" }, chunk()).await.unwrap();
        clock.advance(registry.config.upload_idle_secs + 60);
        // What another replica tells while a body comes in there.
        let touched = clock.unix_secs();
        let (offset, checkpoint) = (upload.offset, upload.checkpoint);
        let beat = metadata::uploads::Progress { offset, checkpoint, touched };
        assert!(registry.metadata.uploads.extend(&upload, beat).await.unwrap());
        assert_eq!(purge(&registry, &|| true).await.unwrap(), 0);
        assert_eq!(registry.storage.blobs.staged_before(u64::MAX).await.unwrap(), [id]);
        registry.metadata.uploads.close(id).await.unwrap();
        assert_eq!(purge(&registry, &|| true).await.unwrap(), 1, "bytes without a session");
    }
}
