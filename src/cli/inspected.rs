//! What `holdfast inspect --json` prints, which scripts rely on.

use crate::cli::listed::Part;
use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::upstream::document::{Descriptor, Platform};
use crate::upstream::image_config::ImageConfig;
use crate::upstream::look::Look;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a reference means.
#[derive(Debug, Serialize)]
pub struct Inspected {
    /// The reference as it was asked for.
    pub reference: String,
    /// The repository.
    pub repository: Repository,
    /// The tag, if one was asked for.
    pub tag: Option<Tag>,
    /// The manifest, in the same object.
    #[serde(flatten)]
    pub manifest: ManifestView,
    /// What refers to it; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrers: Option<Vec<Listed>>,
}

/// A manifest and what it leads to.
#[derive(Debug, Serialize)]
pub struct ManifestView {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// `image`, `index`, `artifact` or `unknown`.
    pub kind: &'static str,
    /// Type of an artifact.
    pub artifact_type: Option<String>,
    /// Bytes of the manifest itself.
    pub manifest_bytes: u64,
    /// Bytes of all that it leads to, each thing once.
    pub size_bytes: u64,
    /// What it runs on.
    pub platforms: Vec<String>,
    /// When it was made, as it says.
    pub created: Option<String>,
    /// What it refers to.
    pub subject: Option<Digest>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Why no more can be told; absent if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The configuration's descriptor; `null` for an index.
    pub config: Option<Part>,
    /// The layers, in order.
    pub layers: Vec<Part>,
    /// What the configuration says; `null` unless it is an image's.
    pub image: Option<ImageConfig>,
    /// What an index lists, in order.
    pub manifests: Vec<Listed>,
}

/// A manifest that an index or the list of referrers names.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its size, as the list says.
    pub manifest_bytes: u64,
    /// What it runs on.
    pub platform: Option<Platform>,
    /// Type of an artifact.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The manifest itself; absent if it was not looked into, or is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Box<ManifestView>>,
}

impl ManifestView {
    /// What is seen of a manifest.
    pub fn of(look: &Look) -> Self {
        let document = look.document.as_ref().ok();
        let manifest = document.map(|document| &document.manifest);
        let children = look.listed().iter().enumerate();
        Self {
            digest: look.fetched.digest,
            media_type: look.media_type().to_owned(),
            kind: look.kind(),
            artifact_type: document.and_then(|document| document.artifact_type()).map(str::to_owned),
            manifest_bytes: look.fetched.bytes.len() as u64,
            size_bytes: look.bytes(),
            platforms: look.platforms(),
            created: look.created().map(str::to_owned),
            subject: manifest.and_then(|manifest| manifest.subject),
            annotations: manifest.map(|manifest| manifest.annotations.clone()).unwrap_or_default(),
            problem: look.document.as_ref().err().cloned(),
            config: document.and_then(|document| document.config.as_ref()).map(Part::of),
            layers: document
                .map(|document| document.layers.iter().map(Part::of).collect())
                .unwrap_or_default(),
            image: look.config.clone(),
            manifests: children
                .map(|(at, child)| {
                    let seen = look.children.get(at).and_then(Option::as_ref);
                    let manifest = seen.map(|child| Box::new(Self::of(child)));
                    Listed { manifest, ..Listed::of(child) }
                })
                .collect(),
        }
    }
}

impl Listed {
    /// What a descriptor says.
    pub fn of(descriptor: &Descriptor) -> Self {
        Self {
            digest: descriptor.digest,
            media_type: descriptor.media_type.clone(),
            manifest_bytes: descriptor.size,
            platform: descriptor.platform.clone(),
            artifact_type: descriptor.artifact_type.clone().filter(|artifact| !artifact.is_empty()),
            annotations: descriptor.annotations.clone(),
            manifest: None,
        }
    }
}
