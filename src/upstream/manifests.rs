//! Manifests: their bytes, and what a reference means. A digest is computed of the bytes, and what the registry says of
//! it is only compared.

use crate::oci::digest::{Algorithm, Digest};
use crate::oci::hasher;
use crate::oci::media_type::{Kind, essence};
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::upstream::client::{Call, Client};
use crate::upstream::error::Error;
use crate::upstream::wire::Reply;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};

/// Largest manifest.
pub const MANIFEST_BYTES_MAX: u64 = 16 << 20;
/// Docker's schema 1, which nobody pushes any more. Its digest is not that of its bytes.
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+";
const CONTENT_DIGEST: &str = "docker-content-digest";

/// A manifest as it came.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Its digest.
    pub digest: Digest,
    /// What the registry says it is, without parameters.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Bytes,
}

/// The scope of reading in a repository.
pub fn pull_scope(repository: &Repository) -> String {
    format!("repository:{repository}:pull")
}

/// A manifest; `None` if there is none.
pub async fn fetch(
    client: &Client,
    repository: &Repository,
    reference: &Reference,
) -> Result<Option<Fetched>, Error> {
    fetch_up_to(client, repository, reference, MANIFEST_BYTES_MAX).await
}

/// A manifest of at most so many bytes; `None` if there is none.
pub async fn fetch_up_to(
    client: &Client,
    repository: &Repository,
    reference: &Reference,
    bytes_max: u64,
) -> Result<Option<Fetched>, Error> {
    let (path, scope) = (format!("/v2/{repository}/manifests/{reference}"), pull_scope(repository));
    let Some(reply) = client.get(&path, &scope, &accept(), bytes_max).await? else {
        return Ok(None);
    };
    let media_type = essence(reply.header(CONTENT_TYPE.as_str()).unwrap_or_default()).to_owned();
    let schema_1 = media_type.starts_with(SCHEMA_1);
    let said = said(&reply);
    let wanted = match reference {
        Reference::Digest(digest) => Some(*digest),
        Reference::Tag(_) => said,
    };
    let algorithm = wanted.map_or(Algorithm::Sha256, |digest| digest.algorithm());
    let digest = hasher::digest(algorithm, &reply.body);
    if schema_1 && matches!(reference, Reference::Tag(_)) {
        return Ok(Some(Fetched { digest: said.unwrap_or(digest), media_type, bytes: reply.body }));
    }
    match wanted {
        Some(wanted) if wanted != digest => Err(client.unusable(
            &reply,
            format!("the bytes of {wanted} are those of {digest}: they were changed on the way, or cut"),
        )),
        _ => Ok(Some(Fetched { digest, media_type, bytes: reply.body })),
    }
}

/// The digest that a reference means now; `None` if there is no such thing. Costs no more than it has to: some registries
/// do not tell the digest without the bytes.
pub async fn resolve(
    client: &Client,
    repository: &Repository,
    reference: &Reference,
) -> Result<Option<Digest>, Error> {
    let (path, scope) = (format!("/v2/{repository}/manifests/{reference}"), pull_scope(repository));
    let (accept, method) = (accept(), Method::HEAD);
    let call = Call {
        method,
        path: &path,
        scope: &scope,
        accept: &accept,
        json: None,
        bytes_max: MANIFEST_BYTES_MAX,
    };
    let reply = client.call(&call).await?;
    match (reply.status, said(&reply)) {
        (StatusCode::OK, Some(digest)) => Ok(Some(digest)),
        (StatusCode::NOT_FOUND, _) => Ok(None),
        _ => Ok(fetch(client, repository, reference).await?.map(|fetched| fetched.digest)),
    }
}

/// What the registry says the digest is.
fn said(reply: &Reply) -> Option<Digest> {
    reply.header(CONTENT_DIGEST).and_then(|text| text.parse().ok())
}

/// Every kind that there is: a registry that is not told of a kind answers as if there were nothing, or converts it.
fn accept() -> String {
    let mut kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.media_type()).collect();
    kinds.push("application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.1");
    kinds.join(", ")
}
