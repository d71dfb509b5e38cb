//! The descriptor of a manifest in a referrers list (distribution-spec, "Listing Referrers").

use crate::metadata::manifests::{Referrer, Resolved};
use crate::oci::manifest::Manifest;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'a str,
    digest: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// The entry that a manifest makes in the list of its subject.
pub fn of(manifest: &Manifest, resolved: &Resolved) -> Referrer {
    let descriptor = Descriptor {
        media_type: resolved.kind.media_type(),
        digest: resolved.digest.to_string(),
        size: resolved.size,
        artifact_type: manifest.artifact_type.as_deref(),
        annotations: &manifest.annotations,
    };
    Referrer {
        digest: resolved.digest,
        artifact_type: manifest.artifact_type.clone(),
        descriptor: serde_json::to_string(&descriptor).ok(),
    }
}
