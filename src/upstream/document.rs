//! What stands in a manifest beyond what a registry has to know: sizes, types and platforms, for people. What is a
//! manifest at all, and of which kind, `oci::manifest` says.

use crate::oci::digest::Digest;
use crate::oci::manifest::Manifest;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Media types of a configuration that describes an image.
const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// What one manifest or blob is said to be (image-spec, descriptor.md).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its type; empty if nothing is said.
    #[serde(default, deserialize_with = "or_default")]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What it runs on.
    #[serde(default, deserialize_with = "or_default")]
    pub platform: Option<Platform>,
    /// Its type, if it is an artifact.
    #[serde(default, deserialize_with = "or_default")]
    pub artifact_type: Option<String>,
    /// Its annotations.
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
}

/// What an image runs on (image-spec, image-index.md).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Platform {
    /// Operating system.
    #[serde(default, deserialize_with = "or_default")]
    pub os: String,
    /// Processor.
    #[serde(default, deserialize_with = "or_default")]
    pub architecture: String,
    /// Variant of the processor.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Version of the operating system.
    #[serde(rename(deserialize = "os.version"), default, deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
}

impl Platform {
    /// Whether it is one that something runs on. BuildKit gives attestations the platform `unknown/unknown`.
    pub fn is_real(&self) -> bool {
        !self.os.is_empty() && self.os != "unknown"
    }

    /// Whether it is meant by `os`, `os/architecture` or `os/architecture/variant`.
    pub fn is_meant_by(&self, text: &str) -> bool {
        let mut parts = text.split('/');
        let same = |part: Option<&str>, own: &str| part.is_none_or(|part| part == own);
        same(parts.next(), &self.os)
            && same(parts.next(), &self.architecture)
            && same(parts.next(), self.variant.as_deref().unwrap_or_default())
            && parts.next().is_none()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant
            .as_deref()
            .filter(|variant| !variant.is_empty())
            .map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// A manifest, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What a registry knows of it.
    pub manifest: Manifest,
    /// An image's configuration.
    pub config: Option<Descriptor>,
    /// An image's layers, in order.
    pub layers: Vec<Descriptor>,
    /// What an index lists, in order.
    pub manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Parts {
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

impl Document {
    /// Reads a manifest that is said to be of this type, or why it is none.
    pub fn read(bytes: &[u8], media_type: &str) -> Result<Self, String> {
        let said = Some(media_type).filter(|said| !said.is_empty());
        // What is told only by the registry's header is none that we would take, but it can be shown.
        let manifest = Manifest::parse(bytes, None)
            .or_else(|_| Manifest::parse(bytes, said))
            .map_err(|e| e.to_string())?;
        let parts: Parts = serde_json::from_slice(bytes).map_err(|e| format!("it is no manifest: {e}"))?;
        let index = manifest.kind.is_index();
        Ok(Self {
            config: parts.config.filter(|_| !index),
            layers: parts.layers.unwrap_or_default(),
            manifests: parts.manifests.unwrap_or_default(),
            manifest,
        })
    }

    /// The configuration, if it is one of an image and not of some artifact.
    pub fn image_config(&self) -> Option<&Descriptor> {
        self.config.as_ref().filter(|config| IMAGE_CONFIGS.contains(&config.media_type.as_str()))
    }

    /// What it is, in a word.
    pub fn kind(&self) -> &'static str {
        match (self.manifest.kind.is_index(), self.image_config()) {
            (true, _) => "index",
            (false, Some(_)) => "image",
            (false, None) => "artifact",
        }
    }

    /// What type of artifact it is, unless it is an image.
    pub fn artifact_type(&self) -> Option<&str> {
        let image = self.image_config().map(|config| config.media_type.as_str());
        self.manifest.artifact_type.as_deref().filter(|artifact| Some(*artifact) != image)
    }
}

/// `null` is what programs in Go write for nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(media_type: &str, of: char) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{}","size":7}}"#, of.to_string().repeat(64))
    }

    #[test]
    fn an_image_and_an_artifact_are_told_apart_by_their_configuration() {
        for (config, artifact_type, kind) in [
            (IMAGE_CONFIGS[0], None, "image"),
            (IMAGE_CONFIGS[1], None, "image"),
            (
                "application/vnd.cncf.helm.config.v1+json",
                Some("application/vnd.cncf.helm.config.v1+json"),
                "artifact",
            ),
        ] {
            let json = format!(
                r#"{{"schemaVersion":2,"config":{},"layers":[{}],"annotations":null}}"#,
                descriptor(config, 'a'),
                descriptor("l", 'b')
            );
            let document =
                Document::read(json.as_bytes(), "application/vnd.oci.image.manifest.v1+json").unwrap();
            assert_eq!((document.kind(), document.artifact_type()), (kind, artifact_type));
            assert_eq!((document.layers.len(), document.layers[0].size), (1, 7));
        }
    }

    #[test]
    fn an_index_lists_its_platforms() {
        let json = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"digest":"sha256:{}","size":1,"annotations":null,
               "platform":{{"os":"linux","architecture":"arm","variant":"v7","os.version":null}}}}]}}"#,
            "a".repeat(64)
        );
        let document = Document::read(json.as_bytes(), "").unwrap();
        assert_eq!(document.kind(), "index");
        let platform = document.manifests[0].platform.clone().unwrap();
        assert_eq!(platform.to_string(), "linux/arm/v7");
        assert!(["linux", "linux/arm", "linux/arm/v7"].iter().all(|text| platform.is_meant_by(text)));
        assert!(
            !["", "linux/arm64", "linux/arm/v8", "linux/arm/v7/x", "windows/arm"]
                .iter()
                .any(|t| platform.is_meant_by(t))
        );
    }

    #[test]
    fn what_is_no_manifest_says_why() {
        for bad in ["", "{}", "<html>", r#"{"schemaVersion":1,"fsLayers":[]}"#] {
            assert!(Document::read(bad.as_bytes(), "application/json").is_err(), "{bad}");
        }
    }
}
