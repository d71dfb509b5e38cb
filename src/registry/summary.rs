//! What a repository holds, in numbers, and what a manifest is made of: for people who look, not for clients that pull.

use crate::metadata::manifests::Resolved;
use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::registry::pull;
use crate::storage::links::{Found, Link};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, HashSet};

/// What a repository holds.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Tags.
    pub tags: u64,
    /// Manifests, those that an index names too.
    pub manifests: u64,
    /// Blobs.
    pub blobs: u64,
    /// Bytes of its blobs, each counted once, whoever else holds it too.
    pub bytes: u64,
}

/// Counts a repository. Costs a walk over all that it holds.
pub async fn repository(registry: &Registry, repository: &Repository) -> Result<Summary> {
    let (mut summary, mut layers, mut tags) = (Summary::default(), Vec::new(), HashSet::new());
    let mut visit = |found| match found {
        Found::Link { link: Link::Revision(_), .. } => summary.manifests += 1,
        Found::Link { link: Link::Layer(digest), .. } => layers.push(digest),
        Found::Link { link: Link::Tag(tag, _), .. } => {
            tags.insert(tag);
        }
        Found::Odd { .. } => {}
    };
    registry.storage.links.walk(repository, &mut visit).await?;
    summary.tags = tags.len() as u64;
    for digest in layers {
        if let Some(size) = registry.metadata.blobs.size(repository, &digest).await? {
            summary.blobs += 1;
            summary.bytes += size;
        }
    }
    if summary == Summary::default() {
        return Err(Error::RepositoryUnknown(repository.clone()));
    }
    Ok(summary)
}

/// What a manifest is made of.
#[derive(Debug, Serialize)]
pub struct Contents {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: &'static str,
    /// Bytes of the manifest itself.
    pub manifest_bytes: u64,
    /// Bytes of its config and layers.
    pub bytes: u64,
    /// What kind of artifact, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Its config.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Part>,
    /// Its layers, the lowest first.
    pub layers: Vec<Part>,
    /// The manifests of an index.
    pub manifests: Vec<Part>,
    /// What it says of itself.
    pub annotations: BTreeMap<String, String>,
}

/// Something that a manifest names.
#[derive(Debug, Serialize)]
pub struct Part {
    /// Its digest.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
    /// The platform of a manifest of an index, as `linux/arm64/v8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_is_none")]
    layers: Vec<Descriptor>,
    #[serde(default, deserialize_with = "null_is_none")]
    manifests: Vec<Descriptor>,
    #[serde(default, deserialize_with = "null_is_none")]
    annotations: BTreeMap<String, String>,
}

/// Programs in Go write `null` for a list or a map that is empty.
fn null_is_none<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> std::result::Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    #[serde(default, deserialize_with = "null_is_none")]
    media_type: String,
    size: u64,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// Reads what a manifest is made of.
pub async fn contents(registry: &Registry, repository: &Repository, resolved: &Resolved) -> Result<Contents> {
    let bytes = pull::manifest(registry, repository, resolved).await?;
    let document: Document = serde_json::from_slice(&bytes)
        .map_err(|error| crate::oci::error::Invalid::Manifest(error.to_string()))?;
    let config = document.config.map(part);
    let layers: Vec<Part> = document.layers.into_iter().map(part).collect();
    let sizes = config.iter().chain(&layers).map(|part| part.size);
    Ok(Contents {
        digest: resolved.digest,
        media_type: resolved.kind.media_type(),
        manifest_bytes: resolved.size,
        bytes: sizes.fold(0, u64::saturating_add),
        artifact_type: document.artifact_type,
        config,
        layers,
        manifests: document.manifests.into_iter().map(part).collect(),
        annotations: document.annotations,
    })
}

fn part(descriptor: Descriptor) -> Part {
    let platform = descriptor.platform.map(|platform| {
        let mut text = format!("{}/{}", platform.os, platform.architecture);
        if let Some(variant) = platform.variant.filter(|variant| !variant.is_empty()) {
            text.push('/');
            text.push_str(&variant);
        }
        text
    });
    Part { digest: descriptor.digest, media_type: descriptor.media_type, size: descriptor.size, platform }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_null_is_empty() {
        let text = r#"{"config":null,"layers":null,"manifests":null,"annotations":null}"#;
        let document: Document = serde_json::from_str(text).unwrap();
        assert!(
            document.layers.is_empty() && document.manifests.is_empty() && document.annotations.is_empty()
        );
        let text = r#"{"layers":[{"digest":"sha256:00","mediaType":null,"size":1}]}"#;
        let document: Document = serde_json::from_str(text).unwrap();
        assert_eq!((document.layers.len(), document.layers[0].media_type.as_str()), (1, ""));
    }
}
