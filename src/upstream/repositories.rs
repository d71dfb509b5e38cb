//! The repositories of a registry (`_catalog`).

use crate::upstream::client::Client;
use crate::upstream::error::Error;
use crate::upstream::pages::{self, List};

/// All names, in the registry's order and as it writes them.
pub async fn list(client: &Client, page_size: usize) -> Result<Vec<String>, Error> {
    if client.address().is_hub() {
        return Err(Error::Given("docker.io does not list its repositories: name one".into()));
    }
    let path = format!("/v2/_catalog?n={page_size}");
    let list = List { path, scope: "registry:catalog:*", accept: "application/json", member: "repositories" };
    let at = || client.address().to_string();
    pages::texts(client, &list).await?.ok_or_else(|| Error::Unusable {
        at: at(),
        why: "it does not list its repositories: name one".into(),
    })
}
