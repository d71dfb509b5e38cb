//! Pulling: what a reference means, and the bytes of manifests and blobs.

use crate::metadata::manifests::Resolved;
use crate::oci::digest::Digest;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::stream::ByteStream;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;

/// What a reference means; all that a HEAD needs.
pub async fn resolve(
    registry: &Registry,
    repository: &Repository,
    reference: &Reference,
) -> Result<Resolved> {
    registry
        .metadata
        .manifests
        .resolve(repository, reference)
        .await?
        .ok_or_else(|| Error::ManifestUnknown(repository.clone(), reference.clone()))
}

/// The bytes of a manifest that was just resolved in this repository.
pub async fn manifest(registry: &Registry, repository: &Repository, resolved: &Resolved) -> Result<Bytes> {
    let digest = &resolved.digest;
    if let Some(bytes) = registry.manifest_cache.get(digest) {
        return Ok(bytes);
    }
    let bytes = match registry.metadata.manifests.body(repository, digest).await? {
        Some(Some(bytes)) => bytes,
        Some(None) => stored_manifest(registry, digest).await?.ok_or(Error::Lost(*digest))?,
        // Deleted between the two questions.
        None => return Err(Error::ManifestUnknown(repository.clone(), Reference::Digest(*digest))),
    };
    registry.manifest_cache.insert(*digest, bytes.clone());
    Ok(bytes)
}

/// The bytes of a manifest as storage holds them; `None` if it does not. Larger ones than any registry takes
/// are not read.
pub async fn stored_manifest(registry: &Registry, digest: &Digest) -> Result<Option<Bytes>> {
    const LARGEST_ANYWHERE: u64 = 64 << 20;
    let limit = registry.config.manifest_bytes_max.max(LARGEST_ANYWHERE);
    let Some(blob) = registry.storage.blobs.read(digest, 0, limit).await? else {
        return Ok(None);
    };
    let mut bytes = BytesMut::with_capacity(blob.size.min(limit) as usize);
    let mut chunks = blob.bytes;
    while let Some(chunk) = chunks
        .try_next()
        .await
        .map_err(|source| crate::storage::error::Error::at(digest.to_string(), source))?
    {
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes.freeze()))
}

/// Size in bytes of a blob that the repository holds.
pub async fn blob_size(registry: &Registry, repository: &Repository, digest: &Digest) -> Result<u64> {
    registry
        .metadata
        .blobs
        .size(repository, digest)
        .await?
        .ok_or_else(|| Error::BlobUnknown(repository.clone(), *digest))
}

/// Where the bytes of a blob are.
pub enum Place {
    /// Here.
    Here(ByteStream),
    /// At a URL that storage has signed.
    At(String),
}

/// `length` bytes from `offset` on of a blob that the repository holds, or where the client finds all of it.
pub async fn place(registry: &Registry, digest: &Digest, offset: u64, length: u64) -> Result<Place> {
    match registry.storage.blobs.signed_url(digest).await? {
        Some(url) => Ok(Place::At(url)),
        None => Ok(Place::Here(blob(registry, digest, offset, length).await?)),
    }
}

/// `length` bytes from `offset` on of a blob that the repository holds, as `blob_size` has said.
pub async fn blob(registry: &Registry, digest: &Digest, offset: u64, length: u64) -> Result<ByteStream> {
    match registry.storage.blobs.read(digest, offset, length).await? {
        Some(blob) => Ok(blob.bytes),
        None => Err(Error::Lost(*digest)),
    }
}
