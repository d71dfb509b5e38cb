//! The tags of a repository: all of them, those of one manifest, and the removal of one alone.

use crate::oci::digest::Digest;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::upstream::client::{Call, Client};
use crate::upstream::error::Error;
use crate::upstream::manifests;
use crate::upstream::pages::{self, List};
use futures_util::{StreamExt, TryStreamExt};
use http::Method;

/// Largest answer to a removal.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// All tags, in the registry's order and as it writes them; `None` if there is no such repository.
pub async fn list(
    client: &Client,
    repository: &Repository,
    page_size: usize,
) -> Result<Option<Vec<String>>, Error> {
    let path = format!("/v2/{repository}/tags/list?n={page_size}");
    let scope = manifests::pull_scope(repository);
    let list = List { path, scope: &scope, accept: "application/json", member: "tags" };
    pages::texts(client, &list).await
}

/// The tags that mean a manifest now, in the order of their bytes, at the cost of one request for each tag of the repository.
pub async fn of(
    client: &Client,
    repository: &Repository,
    digest: &Digest,
    page_size: usize,
) -> Result<Vec<Tag>, Error> {
    let tags = list(client, repository, page_size).await?.unwrap_or_default();
    let asked = tags.into_iter().filter_map(|tag| tag.parse::<Tag>().ok()).map(|tag| async move {
        let meant = manifests::resolve(client, repository, &Reference::Tag(tag.clone())).await?;
        Ok::<_, Error>((meant == Some(*digest)).then_some(tag))
    });
    // The client bounds how many go out at once; this bounds how many wait for it.
    let found: Vec<Option<Tag>> = futures_util::stream::iter(asked).buffered(64).try_collect().await?;
    let mut found: Vec<Tag> = found.into_iter().flatten().collect();
    found.sort_unstable();
    Ok(found)
}

/// How a removal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Gone,
    /// It was not there.
    Absent,
    /// This registry does not do that (distribution-spec, "Deleting Tags": 400 or 405).
    Unsupported(Error),
}

/// Removes one tag and nothing else.
pub async fn remove(client: &Client, repository: &Repository, tag: &Tag) -> Result<Removed, Error> {
    removed(client, repository, &Reference::Tag(tag.clone())).await
}

/// Removes a manifest with all tags that mean it.
pub async fn remove_all_of(
    client: &Client,
    repository: &Repository,
    digest: &Digest,
) -> Result<Removed, Error> {
    removed(client, repository, &Reference::Digest(*digest)).await
}

async fn removed(client: &Client, repository: &Repository, reference: &Reference) -> Result<Removed, Error> {
    let (path, scope) =
        (format!("/v2/{repository}/manifests/{reference}"), format!("repository:{repository}:delete"));
    let call = Call {
        method: Method::DELETE,
        path: &path,
        scope: &scope,
        accept: "application/json",
        json: None,
        bytes_max: ANSWER_BYTES_MAX,
    };
    let reply = client.call(&call).await?;
    Ok(match reply.status.as_u16() {
        200..=204 => Removed::Gone,
        404 => Removed::Absent,
        400 | 405 | 501 => Removed::Unsupported(client.no_success(&reply)),
        _ => return Err(client.no_success(&reply)),
    })
}
