//! Replicas of one registry: storage in one folder, metadata in one database, and names that a test may hold up.

use crate::clock::SystemClock;
use crate::metadata::open::Metadata;
use crate::metadata::postgres::database::TERM;
use crate::metadata::postgres::scratch::{self, Scratch};
use crate::oci::digest::Digest;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::registry::config::Config;
use crate::registry::error::Result;
use crate::registry::parts::Registry;
use crate::registry::{manifests, pull, recover};
use crate::storage;
use crate::storage::error::Error;
use crate::storage::links::{Found, FoundRepository, Link, Links, Name};
use crate::storage::open::Storage;
use bytes::Bytes;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// What becomes of a step that changes names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It stands still until `go_on`, as if the process had been stopped just before it, and is done then.
    Late,
    /// It stands still, and is not done.
    Lost,
    /// It is not done, at once.
    Refused,
}

/// Names whose steps a test has in its hands; those that it says nothing about are done.
pub struct Held {
    names: Arc<dyn Links>,
    steps: Mutex<VecDeque<Step>>,
    reached: Notify,
    go_on: Notify,
}

impl Held {
    /// What becomes of the next steps.
    pub fn expect(&self, steps: &[Step]) {
        self.steps.lock().unwrap().extend(steps);
    }

    /// Waits until a step stands still.
    pub async fn reached(&self) {
        let limit = std::time::Duration::from_secs(30);
        tokio::time::timeout(limit, self.reached.notified()).await.expect("a step that stands still");
    }

    /// Lets the step go on that stands still.
    pub fn go_on(&self) {
        self.go_on.notify_one();
    }

    async fn step(&self) -> storage::error::Result<()> {
        let step = self.steps.lock().unwrap().pop_front();
        let Some(step) = step else { return Ok(()) };
        if step != Step::Refused {
            self.reached.notify_one();
            self.go_on.notified().await;
        }
        match step {
            Step::Late => Ok(()),
            Step::Lost | Step::Refused => {
                Err(Error::Unreachable { what: "a name".into(), why: "made up".into() })
            }
        }
    }
}

#[async_trait::async_trait]
impl Links for Held {
    async fn record(&self, repository: &Repository, links: &[Link]) -> storage::error::Result<()> {
        self.step().await?;
        self.names.record(repository, links).await
    }

    async fn forget(&self, repository: &Repository, names: &[Name]) -> storage::error::Result<()> {
        self.step().await?;
        self.names.forget(repository, names).await
    }

    async fn sync(&self) -> storage::error::Result<()> {
        self.names.sync().await
    }

    async fn resolve(&self, repository: &Repository, name: &Name) -> storage::error::Result<Option<Digest>> {
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

    async fn lead_nowhere(&self) -> storage::error::Result<bool> {
        self.names.lead_nowhere().await
    }
}

/// Storage in a folder.
pub async fn stored(folder: &Path) -> Storage {
    storage::open::open(&storage::config::Config::default(), folder).await.unwrap()
}

/// A registry of these parts.
pub fn registry(storage: Storage, metadata: Metadata) -> Registry {
    Registry::new(storage, metadata, Arc::new(SystemClock), Config::default())
}

/// One database and one folder, and whoever comes to share them.
pub struct World {
    pub scratch: Scratch,
    folder: tempfile::TempDir,
}

impl World {
    /// `None`: there is no server, which was told.
    pub async fn new() -> Option<Self> {
        let scratch = scratch::database().await?;
        Some(Self { scratch, folder: tempfile::tempdir().unwrap() })
    }

    /// Another replica, and its hold on names.
    pub async fn replica(&self) -> (Registry, Arc<Held>) {
        let shared = stored(self.folder.path()).await;
        let held = Arc::new(Held {
            names: Arc::clone(&shared.links),
            steps: Mutex::default(),
            reached: Notify::new(),
            go_on: Notify::new(),
        });
        let storage = Storage { links: Arc::clone(&held) as _, ..shared };
        (registry(storage, self.scratch.process(TERM).await), held)
    }

    /// Ends the lease of the replica that was there first, until another one has settled what it was at.
    pub async fn settle_the_first(&self, other: &Registry) {
        let first = "UPDATE holdfast.replicas SET lease_ends = now() - interval '1 second' \
            WHERE started = (SELECT min(started) FROM holdfast.replicas)";
        loop {
            self.scratch.run(first).await;
            if recover::all(other).await.unwrap().settled > 0 {
                return;
            }
        }
    }

    /// How many intents stand.
    pub async fn intents(&self) -> i64 {
        self.scratch.number("SELECT count(*) FROM holdfast.intents").await
    }
}

/// The repository of all tests here.
pub fn app() -> Repository {
    "app".parse().unwrap()
}

/// A manifest that says `named`, and names these.
pub fn manifest(named: &str, children: &[Digest]) -> Bytes {
    let child = |digest: &Digest| {
        let index = "application/vnd.oci.image.index.v1+json";
        serde_json::json!({"mediaType": index, "digest": digest.to_string(), "size": 1})
    };
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": children.iter().map(child).collect::<Vec<_>>(),
        "annotations": {"named": named},
    });
    Bytes::from(manifest.to_string())
}

/// Pushes `app:1`.
pub async fn push(registry: &Registry, named: &str) -> Result<Digest> {
    push_naming(registry, named, &[]).await
}

/// Pushes `app:1`, which names these.
pub async fn push_naming(registry: &Registry, named: &str, children: &[Digest]) -> Result<Digest> {
    let tag = Reference::Tag("1".parse().unwrap());
    let pushed = manifests::put(registry, &app(), &tag, vec![], None, manifest(named, children)).await?;
    Ok(pushed.digest)
}

/// What the tag means, in storage and as a fact.
pub async fn meant(registry: &Registry) -> [Option<Digest>; 2] {
    let (app, tag) = (app(), "1".parse().unwrap());
    let named = registry.storage.links.resolve(&app, &Name::Tag(tag)).await.unwrap();
    let known = pull::resolve(registry, &app, &Reference::Tag("1".parse().unwrap())).await;
    [named, known.ok().map(|resolved| resolved.digest)]
}

/// Links of manifests and tags in storage.
pub async fn names(registry: &Registry) -> Vec<Found> {
    let mut found = Vec::new();
    let mut visit = |one| found.push(one);
    registry.storage.links.walk(&app(), &mut visit).await.unwrap();
    found
}
