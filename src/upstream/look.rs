//! A closer look at what a reference means: its manifest, and what that leads to. An index is looked into as far as
//! what is wanted needs, and only one step deep.

use crate::oci::digest::Digest;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::upstream::blobs::{self, BLOB_BYTES_MAX};
use crate::upstream::client::Client;
use crate::upstream::document::{Descriptor, Document, Platform};
use crate::upstream::error::Error;
use crate::upstream::image_config::ImageConfig;
use crate::upstream::manifests::{self, Fetched, MANIFEST_BYTES_MAX};
use futures_util::{StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most manifests of one index that are looked into.
pub const CHILDREN_MAX: usize = 128;
/// Most bytes of manifests and configurations beneath one index.
const LOOK_BYTES_MAX: u64 = 64 << 20;
/// When something was made, where no configuration says so.
const CREATED: &str = "org.opencontainers.image.created";

/// How much of an index is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Its manifests, for their sizes, and one configuration.
    Summary,
    /// All that it leads to.
    Full,
}

/// What a reference means.
#[derive(Debug, Clone)]
pub struct Look {
    /// The manifest as it came.
    pub fetched: Fetched,
    /// What it says; or why that cannot be told.
    pub document: Result<Document, String>,
    /// The configuration, if it is an image.
    pub config: Option<ImageConfig>,
    /// If it is an index, what it lists, in order; those beyond the bounds, and those that are not there, are `None`.
    pub children: Vec<Option<Look>>,
}

/// Looks at a reference; `None` if there is no such thing.
pub async fn at(
    client: &Client,
    repository: &Repository,
    reference: &Reference,
    depth: Depth,
) -> Result<Option<Look>, Error> {
    match manifests::fetch(client, repository, reference).await? {
        Some(fetched) => into(client, repository, fetched, depth).await.map(Some),
        None => Ok(None),
    }
}

/// Looks into a manifest that is here already.
pub async fn into(
    client: &Client,
    repository: &Repository,
    fetched: Fetched,
    depth: Depth,
) -> Result<Look, Error> {
    let budget = Budget(AtomicU64::new(LOOK_BYTES_MAX));
    let budget = &budget;
    let mut look = alone(client, repository, fetched, Some(budget)).await?;
    let Ok(document) = &look.document else { return Ok(look) };
    let first =
        document.manifests.iter().position(|child| child.platform.as_ref().is_none_or(Platform::is_real));
    let asked = document.manifests.iter().enumerate().map(|(at, child)| async move {
        if at >= CHILDREN_MAX || child.size > MANIFEST_BYTES_MAX || !budget.takes(child.size) {
            return Ok(None);
        }
        let reference = Reference::Digest(child.digest);
        let fetched = manifests::fetch_up_to(client, repository, &reference, child.size).await?;
        let Some(fetched) = fetched else { return Ok(None) };
        let with_config = depth == Depth::Full || Some(at) == first;
        alone(client, repository, fetched, with_config.then_some(budget)).await.map(Some)
    });
    let children = futures_util::stream::iter(asked.collect::<Vec<_>>()).buffered(8).try_collect().await?;
    look.children = children;
    Ok(look)
}

/// One manifest without what it lists; with its configuration if there is a budget for it.
async fn alone(
    client: &Client,
    repository: &Repository,
    fetched: Fetched,
    budget: Option<&Budget>,
) -> Result<Look, Error> {
    let document = Document::read(&fetched.bytes, &fetched.media_type);
    let wanted = document.as_ref().ok().and_then(Document::image_config);
    let wanted = wanted.filter(|config| budget.is_some_and(|budget| budget.takes(config.size)));
    let config = match wanted.filter(|config| config.size <= BLOB_BYTES_MAX) {
        Some(config) => blobs::whole(client, repository, &config.digest, config.size).await?,
        None => None,
    };
    let config = config.and_then(|bytes| ImageConfig::read(&bytes));
    Ok(Look { fetched, document, config, children: Vec::new() })
}

/// How many bytes one look may still hold: what an index lists is made by a stranger.
struct Budget(AtomicU64);

impl Budget {
    fn takes(&self, bytes: u64) -> bool {
        let rest = |rest: u64| rest.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).is_ok()
    }
}

impl Look {
    /// What it is, in a word.
    pub fn kind(&self) -> &'static str {
        self.document.as_ref().map_or("unknown", Document::kind)
    }

    /// The type of its manifest: what its bytes say, else what the registry says.
    pub fn media_type(&self) -> &str {
        self.document
            .as_ref()
            .map_or(&self.fetched.media_type, |document| document.manifest.kind.media_type())
    }

    /// What it runs on: one platform of an image, all real ones of an index, each once.
    pub fn platforms(&self) -> Vec<String> {
        let listed = self.listed().iter().filter_map(|child| child.platform.as_ref());
        let own = self.config.as_ref().map(|config| &config.platform);
        let mut found = Vec::new();
        for platform in listed.chain(own).filter(|platform| platform.is_real()).map(Platform::to_string) {
            if !found.contains(&platform) {
                found.push(platform);
            }
        }
        found
    }

    /// What an index lists.
    pub fn listed(&self) -> &[Descriptor] {
        self.document.as_ref().map_or(&[], |document| &document.manifests)
    }

    /// When it was made, as it stands there: of an index, the newest of what was looked into.
    pub fn created(&self) -> Option<&str> {
        let own = self.config.as_ref().and_then(|config| config.created.as_deref());
        let annotation = || Some(self.document.as_ref().ok()?.manifest.annotations.get(CREATED)?.as_str());
        let below = || self.children.iter().flatten().filter_map(Look::created).max();
        own.or_else(annotation).or_else(below)
    }

    /// Bytes of all that it leads to, itself too, each thing once.
    pub fn bytes(&self) -> u64 {
        let mut sizes = HashMap::new();
        self.add_sizes(&mut sizes);
        sizes.values().fold(0, |sum: u64, size| sum.saturating_add(*size))
    }

    fn add_sizes(&self, sizes: &mut HashMap<Digest, u64>) {
        sizes.insert(self.fetched.digest, self.fetched.bytes.len() as u64);
        if let Ok(document) = &self.document {
            let parts = document.config.iter().chain(&document.layers).chain(&document.manifests);
            sizes.extend(parts.map(|part| (part.digest, part.size)));
        }
        for child in self.children.iter().flatten() {
            child.add_sizes(sizes);
        }
    }
}
