//! Facts out of bytes: what the metadata says of a manifest is derived here, when it is pushed and when the
//! metadata is made again, so that both say the same.

use crate::metadata::manifests::{BODY_BYTES_MAX, NewManifest, Resolved};
use crate::oci::digest::Digest;
use crate::oci::hasher;
use crate::oci::manifest::Manifest;
use crate::oci::tag::Tag;
use crate::registry::error::Result;
use crate::registry::parts::Registry;
use crate::registry::{pull, referrer};
use bytes::Bytes;

/// The facts of a manifest.
pub fn facts(manifest: &Manifest, digest: Digest, bytes: &Bytes, tags: Vec<Tag>, pushed: u64) -> NewManifest {
    let resolved = Resolved { digest, kind: manifest.kind, size: bytes.len() as u64 };
    NewManifest {
        body: (bytes.len() <= BODY_BYTES_MAX).then(|| bytes.clone()),
        blobs: manifest.blobs.clone(),
        children: manifest.children.clone(),
        subject: manifest.subject.map(|subject| (subject, referrer::of(manifest, &resolved))),
        resolved,
        tags,
        pushed,
    }
}

/// The facts of a manifest whose bytes storage holds; else what is odd about it.
pub async fn stored(
    registry: &Registry,
    digest: &Digest,
    tags: Vec<Tag>,
    pushed: u64,
) -> Result<std::result::Result<NewManifest, String>> {
    let Some(bytes) = pull::stored_manifest(registry, digest).await? else {
        return Ok(Err("a link to a manifest whose bytes are absent".into()));
    };
    if hasher::digest(digest.algorithm(), &bytes) != *digest {
        return Ok(Err("a manifest whose bytes are not of its digest".into()));
    }
    Ok(match Manifest::parse(&bytes, None) {
        Ok(manifest) => Ok(facts(&manifest, *digest, &bytes, tags, pushed)),
        Err(invalid) => Err(invalid.to_string()),
    })
}
