//! Lists: tags, repositories, referrers. Each a page at a time, at the cost of the page.

use crate::metadata::manifests::{Referrer, Resolved};
use crate::oci::digest::Digest;
use crate::oci::manifest::Manifest;
use crate::oci::page::{Listed, Page};
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::registry::error::{Error, Result};
use crate::registry::parts::Registry;
use crate::registry::{pull, referrer};

/// A page of referrers.
#[derive(Debug)]
pub struct Referrers {
    /// Descriptors as JSON, in the order of their digests.
    pub descriptors: Vec<String>,
    /// The digest after which the next page begins, if there is one.
    pub next: Option<Digest>,
}

/// A page of the tags of a repository, in byte order.
pub async fn tags(registry: &Registry, repository: &Repository, page: &Page) -> Result<Listed<Tag>> {
    registry
        .metadata
        .manifests
        .tags(repository, page)
        .await?
        .ok_or_else(|| Error::RepositoryUnknown(repository.clone()))
}

/// A page of the repositories that hold a manifest, in byte order.
pub async fn repositories(registry: &Registry, page: &Page) -> Result<Listed<Repository>> {
    Ok(registry.metadata.manifests.repositories(page).await?)
}

/// A page of the manifests that refer to `subject`. Ends early when the descriptors grow large, so that an
/// answer stays within what clients read (4 MiB).
pub async fn referrers(
    registry: &Registry,
    repository: &Repository,
    subject: &Digest,
    artifact_type: Option<&str>,
    page: &Page,
) -> Result<Referrers> {
    const BYTES_MAX: usize = 3 << 20;
    const ENTRIES_MAX: usize = 500; // each row may be as large as 48 KiB
    let page = Page { entries_max: page.entries_max.min(ENTRIES_MAX), last: page.last.clone() };
    let listed = registry.metadata.manifests.referrers(repository, subject, artifact_type, &page).await?;
    let mut descriptors = Vec::with_capacity(listed.entries.len());
    let (mut bytes, mut last, count) = (0, None, listed.entries.len());
    for entry in listed.entries {
        let digest = entry.digest;
        if let Some(descriptor) = descriptor(registry, repository, entry).await? {
            bytes += descriptor.len();
            descriptors.push(descriptor);
        }
        last = Some(digest);
        if bytes > BYTES_MAX {
            break;
        }
    }
    let more = listed.more || descriptors.len() < count;
    Ok(Referrers { descriptors, next: last.filter(|_| more) })
}

/// The descriptor of an entry: as it stands there, or made again if it was too large to stand there. `None`:
/// the manifest went away meanwhile.
async fn descriptor(registry: &Registry, repository: &Repository, entry: Referrer) -> Result<Option<String>> {
    if entry.descriptor.is_some() {
        return Ok(entry.descriptor);
    }
    let reference = Reference::Digest(entry.digest);
    let resolved: Resolved = match pull::resolve(registry, repository, &reference).await {
        Ok(resolved) => resolved,
        Err(Error::ManifestUnknown(..)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = pull::manifest(registry, repository, &resolved).await?;
    let manifest = Manifest::parse(&bytes, None)?;
    Ok(referrer::of(&manifest, &resolved).descriptor)
}
