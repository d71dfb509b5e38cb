//! Blobs that are small enough to be read whole: the configurations of images.

use crate::oci::digest::Digest;
use crate::oci::hasher;
use crate::oci::repository::Repository;
use crate::upstream::client::Client;
use crate::upstream::error::Error;
use crate::upstream::manifests::pull_scope;
use bytes::Bytes;

/// Largest blob that is read.
pub const BLOB_BYTES_MAX: u64 = 16 << 20;

/// The bytes of a blob of this size, which hash to its digest; `None` if there is none.
pub async fn whole(
    client: &Client,
    repository: &Repository,
    digest: &Digest,
    size: u64,
) -> Result<Option<Bytes>, Error> {
    let path = format!("/v2/{repository}/blobs/{digest}");
    let Some(reply) = client.get(&path, &pull_scope(repository), "", size.min(BLOB_BYTES_MAX)).await? else {
        return Ok(None);
    };
    let actual = hasher::digest(digest.algorithm(), &reply.body);
    if actual != *digest {
        let why =
            format!("the bytes of {digest} are those of {actual}: they were changed on the way, or cut");
        return Err(client.unusable(&reply, why));
    }
    Ok(Some(reply.body))
}
