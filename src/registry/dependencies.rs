//! Whether what the registry rests on answers: for whoever decides if requests are sent here. A probe costs one small
//! question to each, at most once a second, however many ask.

use crate::registry::heard::Silent;
use crate::registry::parts::Registry;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long an answer counts.
const COUNTS_FOR: Duration = Duration::from_secs(1);
/// How long we wait for one.
const PATIENCE: Duration = Duration::from_secs(2);

/// What does not answer now, if anything; as it was a second ago at most.
pub async fn silent(registry: &Registry) -> Option<Silent> {
    // Held while we ask: others who come meanwhile wait for the same answer.
    let mut heard = registry.heard.0.lock().await;
    if let Some((at, silent)) = *heard
        && at.elapsed() < COUNTS_FOR
    {
        return silent;
    }
    let before = heard.and_then(|(_, silent)| silent);
    let silent = ask(registry, before).await;
    *heard = Some((Instant::now(), silent));
    silent
}

async fn ask(registry: &Registry, before: Option<Silent>) -> Option<Silent> {
    let (metadata, storage) = tokio::join!(
        timeout(PATIENCE, registry.metadata.completeness.is_complete()),
        // It lists, since a bucket that is gone and an object that is not there look the same to a HEAD.
        timeout(PATIENCE, registry.storage.links.is_empty()),
    );
    let (silent, why) = match (metadata, storage) {
        (Ok(Ok(_)), Ok(Ok(_))) => (None, String::new()),
        (Ok(Err(error)), _) => (Some(Silent::Metadata), error.to_string()),
        (Err(_), _) => (Some(Silent::Metadata), format!("no answer within {PATIENCE:?}")),
        (_, Ok(Err(error))) => (Some(Silent::Storage), error.to_string()),
        (_, Err(_)) => (Some(Silent::Storage), format!("no answer within {PATIENCE:?}")),
    };
    match silent {
        Some(_) if silent != before => tracing::warn!(?silent, why, "not ready"),
        None if before.is_some() => tracing::info!("ready again"),
        _ => {}
    }
    silent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::metadata::completeness::Completeness;
    use crate::metadata::error::{Error, Result};
    use crate::registry::config::Config;
    use crate::{metadata, storage};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Counts questions; answers the first, fails the second, and is silent to the third.
    #[derive(Default)]
    struct Moody(AtomicU64);

    #[async_trait::async_trait]
    impl Completeness for Moody {
        async fn is_complete(&self) -> Result<bool> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                1 => Err(Error::Unreachable("made up".into())),
                2 => std::future::pending().await,
                _ => Ok(true),
            }
        }

        async fn set_complete(&self) -> Result<()> {
            Ok(())
        }

        async fn doubt(&self) -> Result<()> {
            Ok(())
        }

        async fn clear(&self) -> Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dependency_is_asked_once_a_second_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let storage = storage::open::open(&storage::config::Config::default(), folder.path()).await.unwrap();
        let at = folder.path().join("metadata");
        let opened = metadata::open::open(&metadata::config::Config::default(), &at, 0).await.unwrap();
        let moody = Arc::new(Moody::default());
        let metadata = metadata::open::Metadata { completeness: Arc::clone(&moody) as _, ..opened.metadata };
        let registry = Registry::new(storage, metadata, Arc::new(SystemClock), Config::default());
        for (asked, expected) in
            [(1, None), (2, Some(Silent::Metadata)), (3, Some(Silent::Metadata)), (4, None)]
        {
            for _ in 0..3 {
                assert_eq!(silent(&registry).await, expected);
            }
            assert_eq!(moody.0.load(Ordering::Relaxed), asked);
            tokio::time::sleep(COUNTS_FOR).await;
        }
    }
}
