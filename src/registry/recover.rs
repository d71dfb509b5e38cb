//! Making names and facts agree again where an operation was cut short: by a crash, by a fault between two of its
//! steps, or because this process stood still for so long that others have settled what it was at.
//!
//! As long as the intent of an operation stands nothing of it was acknowledged, so either of the two places may be
//! followed; what matters is that both say the same. What storage holds is followed then (`settle.rs`): names are
//! durable, and facts may be lost with the power where the metadata is embedded. Once others have settled an operation
//! its names may be somebody else's, who was told that they stand: then the facts are followed (`repair.rs`), which
//! other processes have and which are durable wherever there are any. Costs as much as was under way, not as much as is stored.

use crate::metadata::error::Error as MetadataError;
use crate::metadata::intents::{Intent, IntentId, Settling};
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::registry::unsettled::Unsettled;
use crate::registry::{repair, settle};
use futures_util::{StreamExt, stream};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// What became of operations that were left under way.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Operations whose names and facts agree now.
    pub settled: usize,
    /// Those that could not be settled. That is told, and they stay: one damaged repository must not keep the others
    /// from being served.
    pub left: usize,
}

/// Settles all that was left under way by processes that are no more.
pub async fn all(registry: &Registry) -> Result<Recovered> {
    const AT_ONCE: usize = 1024;
    const SIDE_BY_SIDE: usize = 32;
    let unsettled = Mutex::new(HashSet::new());
    let mut settled = 0;
    loop {
        let left = unsettled.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut pending = registry.metadata.intents.pending(AT_ONCE + left.len()).await?;
        pending.retain(|(id, _)| !left.contains(id));
        if pending.is_empty() {
            return Ok(Recovered { settled, left: left.len() });
        }
        if settled + left.len() == 0 {
            // Names that they have written may still be on their way to the disk; facts must not overtake them.
            registry.storage.links.sync().await?;
        }
        let before = left.len();
        let count = pending.len();
        stream::iter(pending)
            .for_each_concurrent(SIDE_BY_SIDE, |(id, intent)| {
                let unsettled = &unsettled;
                async move {
                    if let Err(error) = end(registry, id, &intent, Settling::Handed).await {
                        tell(&intent, &error);
                        unsettled.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
                    }
                }
            })
            .await;
        settled += before + count - unsettled.lock().unwrap_or_else(PoisonError::into_inner).len();
    }
}

/// Comes back to operations of this process that could not be settled when they failed.
pub async fn again(registry: &Registry) -> Recovered {
    let mut recovered = Recovered::default();
    for one in registry.unsettled.take() {
        let done = match &one.intent {
            Some(intent) => agree(registry, one.id, intent).await.is_ok(),
            None => registry.metadata.intents.end(one.id).await.is_ok(),
        };
        if done {
            recovered.settled += 1;
        } else {
            // It was told when it failed.
            recovered.left += 1;
            registry.unsettled.add(one);
        }
    }
    recovered
}

/// Hands on the answer of an operation; if it failed, its names and facts are made to agree first. `intent` tells all
/// names that it may have touched. Where even that fails, `again` comes back to it.
pub async fn after<T>(registry: &Registry, id: IntentId, intent: &Intent, answer: Result<T>) -> Result<T> {
    if answer.is_err()
        && let Err(error) = agree(registry, id, intent).await
    {
        tell(intent, &error);
        registry.unsettled.add(Unsettled { id, intent: Some(intent.clone()) });
    }
    answer
}

/// Makes the names and the facts of an operation of this process agree.
async fn agree(registry: &Registry, id: IntentId, intent: &Intent) -> Result<()> {
    if !registry.metadata.intents.holds(id) {
        return repair::repair(registry, intent).await;
    }
    registry.storage.links.sync().await?;
    match end(registry, id, intent, Settling::Begun).await {
        Err(Error::Metadata(MetadataError::Overtaken)) => repair::repair(registry, intent).await,
        ended => ended,
    }
}

/// Settles an intent that stands, and ends it.
async fn end(registry: &Registry, id: IntentId, intent: &Intent, what: Settling) -> Result<()> {
    settle::settle(registry, id, intent, what).await?;
    Ok(registry.metadata.intents.end(id).await?)
}

fn tell(intent: &Intent, error: &Error) {
    tracing::error!(repository = %intent.repository, %error, "names and facts may differ until this is tried again");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::metadata::open::Metadata;
    use crate::metadata::postgres::database::TERM;
    use crate::metadata::postgres::scratch::{self, Scratch};
    use crate::oci::digest::Digest;
    use crate::oci::reference::Reference;
    use crate::oci::repository::Repository;
    use crate::registry::config::Config;
    use crate::registry::{manifests, pull};
    use crate::storage::links::{Found, FoundRepository, Link, Links, Name};
    use crate::storage::open::Storage;
    use crate::{metadata, storage};
    use bytes::Bytes;
    use std::path::Path;
    use std::sync::Arc;
    use tokio::sync::Notify;

    /// Names whose writing stands still, as if the process had been stopped just before it.
    struct Standing {
        names: Arc<dyn Links>,
        reached: Notify,
        go_on: Notify,
    }

    #[async_trait::async_trait]
    impl Links for Standing {
        async fn record(&self, repository: &Repository, links: &[Link]) -> storage::error::Result<()> {
            self.reached.notify_one();
            self.go_on.notified().await;
            self.names.record(repository, links).await
        }

        async fn forget(&self, repository: &Repository, names: &[Name]) -> storage::error::Result<()> {
            self.names.forget(repository, names).await
        }

        async fn sync(&self) -> storage::error::Result<()> {
            self.names.sync().await
        }

        async fn resolve(
            &self,
            repository: &Repository,
            name: &Name,
        ) -> storage::error::Result<Option<Digest>> {
            self.names.resolve(repository, name).await
        }

        async fn walk(
            &self,
            repository: &Repository,
            visit: &mut (dyn FnMut(Found) + Send),
        ) -> storage::error::Result<()> {
            self.names.walk(repository, visit).await
        }

        async fn repositories(&self) -> storage::error::Result<Vec<FoundRepository>> {
            self.names.repositories().await
        }

        async fn is_empty(&self) -> storage::error::Result<bool> {
            self.names.is_empty().await
        }
    }

    async fn stored(folder: &Path) -> Storage {
        storage::open::open(&storage::config::Config::default(), folder).await.unwrap()
    }

    fn registry(storage: Storage, metadata: Metadata) -> Registry {
        Registry::new(storage, metadata, Arc::new(SystemClock), Config::default())
    }

    fn manifest(named: &str) -> Bytes {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{{"named":"{named}"}}}}"#
        );
        Bytes::from(text)
    }

    async fn push(registry: &Registry, named: &str) -> Result<Digest> {
        let (app, tag) = ("app".parse().unwrap(), Reference::Tag("1".parse().unwrap()));
        let pushed = manifests::put(registry, &app, &tag, vec![], None, manifest(named)).await?;
        Ok(pushed.digest)
    }

    /// What the tag means, in storage and as a fact.
    async fn meant(registry: &Registry) -> [Option<Digest>; 2] {
        let (app, tag) = ("app".parse().unwrap(), "1".parse().unwrap());
        let named = registry.storage.links.resolve(&app, &Name::Tag(tag)).await.unwrap();
        let known = pull::resolve(registry, &app, &Reference::Tag("1".parse().unwrap())).await;
        [named, known.ok().map(|resolved| resolved.digest)]
    }

    /// Ends the lease of the process that was there first, until another one has settled what it was at.
    async fn settle_the_first(scratch: &Scratch, other: &Registry) {
        let first = "UPDATE holdfast.replicas SET lease_ends = now() - interval '1 second' \
            WHERE started = (SELECT min(started) FROM holdfast.replicas)";
        loop {
            scratch.run(first).await;
            if all(other).await.unwrap().settled > 0 {
                return;
            }
        }
    }

    #[tokio::test]
    async fn who_stood_still_does_not_undo_what_others_were_told() {
        let Some(scratch) = scratch::database().await else { return };
        let folder = tempfile::tempdir().unwrap();
        let shared = stored(folder.path()).await;
        let standing = Arc::new(Standing {
            names: Arc::clone(&shared.links),
            reached: Notify::new(),
            go_on: Notify::new(),
        });
        let slow = Storage { links: Arc::clone(&standing) as _, ..shared };
        let away = registry(slow, scratch.process(TERM).await);
        let late = push(&away, "x");
        let meanwhile = async {
            standing.reached.notified().await;
            let here = registry(stored(folder.path()).await, scratch.process(TERM).await);
            settle_the_first(&scratch, &here).await;
            let told = push(&here, "y").await.unwrap();
            assert_eq!(meant(&here).await, [Some(told); 2]);
            standing.go_on.notify_one();
            // It puts right what it has written: one more step of its own on names.
            standing.reached.notified().await;
            standing.go_on.notify_one();
            (here, told)
        };
        let (late, (here, told)) = tokio::join!(late, meanwhile);
        assert!(matches!(late, Err(Error::Metadata(MetadataError::Overtaken))), "{late:?}");
        assert_eq!(meant(&here).await, [Some(told); 2]);
        assert_eq!(meant(&away).await, [Some(told); 2]);
        let mut tags_and_revisions = Vec::new();
        let mut visit = |found| tags_and_revisions.push(found);
        here.storage.links.walk(&"app".parse().unwrap(), &mut visit).await.unwrap();
        assert_eq!(
            tags_and_revisions.len(),
            2,
            "of what came too late nothing is left: {tags_and_revisions:?}"
        );
        assert_eq!(again(&away).await, Recovered::default());
    }

    #[tokio::test]
    async fn what_could_not_be_settled_is_settled_later() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("metadata");
        let opened = metadata::open::open(&metadata::config::Config::default(), &at, 0).await.unwrap();
        let registry = registry(stored(folder.path()).await, opened.metadata);
        let told = push(&registry, "x").await.unwrap();
        let tag = "1".parse().unwrap();
        let intent = Intent {
            repository: "app".parse().unwrap(),
            blobs: vec![],
            manifests: vec![],
            tags: vec![tag],
            removing: true,
        };
        let id = crate::registry::turns::begin(&registry, &intent).await.unwrap();
        // The fact is gone, the name is not, and then something failed.
        let untagged = registry.metadata.manifests.untag(&intent.repository, &intent.tags[0], Some(id)).await;
        assert!(untagged.unwrap());
        registry.unsettled.add(Unsettled { id, intent: Some(intent) });
        assert_eq!(all(&registry).await.unwrap(), Recovered::default(), "it is not for others to settle");
        assert_eq!(again(&registry).await, Recovered { settled: 1, left: 0 });
        assert_eq!(meant(&registry).await, [Some(told); 2]);
        assert!(!registry.metadata.intents.holds(id));
    }
}
