//! What refers to a manifest: signatures, lists of what is in it (distribution-spec, "Listing Referrers"). A registry
//! without that list has it under a tag, which clients keep (the "Referrers Tag Schema").

use crate::oci::digest::Digest;
use crate::oci::media_type::Kind;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::upstream::client::Client;
use crate::upstream::document::{Descriptor, Document};
use crate::upstream::error::Error;
use crate::upstream::manifests::{self, pull_scope};
use crate::upstream::pages::{self, List};

/// All referrers of a manifest.
pub async fn list(
    client: &Client,
    repository: &Repository,
    digest: &Digest,
) -> Result<Vec<Descriptor>, Error> {
    let scope = pull_scope(repository);
    let list = List {
        path: format!("/v2/{repository}/referrers/{digest}"),
        scope: &scope,
        accept: Kind::OciIndex.media_type(),
        member: "manifests",
    };
    let unusable = |why: String| Error::Unusable { at: client.address().to_string(), why };
    if let Some(entries) = pages::all(client, &list).await? {
        let read = |entry| {
            serde_json::from_value(entry).map_err(|e| unusable(format!("a referrer does not read: {e}")))
        };
        return entries.into_iter().map(read).collect();
    }
    let tag = digest.referrers_tag().parse().map_err(|_| unusable("its digest makes no tag".into()))?;
    let under_tag = manifests::fetch(client, repository, &Reference::Tag(tag)).await?;
    let document = under_tag.and_then(|fetched| Document::read(&fetched.bytes, &fetched.media_type).ok());
    // What is no index says nothing (distribution-spec, "Unavailable Referrers API").
    Ok(document.map(|document| document.manifests).unwrap_or_default())
}
