//! Facts out of bytes: what the metadata says of a manifest is derived here, when it is pushed and when the
//! metadata is made again, so that both say the same.

use crate::metadata::manifests::{BODY_BYTES_MAX, NewManifest, Resolved};
use crate::oci::digest::Digest;
use crate::oci::error::Invalid;
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

/// Why no facts can be made of a manifest that storage has a link to.
#[derive(Debug, thiserror::Error)]
pub enum Odd {
    /// Its bytes are not there.
    #[error("a link to a manifest whose bytes are absent")]
    Absent,
    /// Other bytes are there.
    #[error("a manifest whose bytes are not of its digest")]
    OtherBytes,
    /// They are whole, and no manifest that is taken here.
    #[error(transparent)]
    NotTaken(Invalid),
}

/// The facts of a manifest whose bytes storage holds; else what is odd about it.
pub async fn stored(
    registry: &Registry,
    digest: &Digest,
    tags: Vec<Tag>,
    pushed: u64,
) -> Result<std::result::Result<NewManifest, Odd>> {
    let Some(bytes) = pull::stored_manifest(registry, digest).await? else {
        return Ok(Err(Odd::Absent));
    };
    if hasher::digest(digest.algorithm(), &bytes) != *digest {
        return Ok(Err(Odd::OtherBytes));
    }
    Ok(match Manifest::parse(&bytes, None) {
        Ok(manifest) => Ok(facts(&manifest, *digest, &bytes, tags, pushed)),
        Err(invalid) => Err(Odd::NotTaken(invalid)),
    })
}
