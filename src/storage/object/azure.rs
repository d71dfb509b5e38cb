//! A container on Azure Blob Storage. The only file that knows how the library is told so.

use crate::storage::config::{Azure, Redirect};
use crate::storage::object::bucket::Bucket;
use crate::storage::object::patience::{Http, Patient};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::signer::Signer;
use object_store::{ClientOptions, RetryConfig};
use std::sync::Arc;

/// Opens the container of these settings. Why not, if it makes no sense.
pub fn open(config: &Azure, http: &Http, retries: RetryConfig) -> Result<Bucket, String> {
    // Without a key of ours, all that the library knows counts: the environment, and the machine.
    let mut builder = match config.access_key.expose() {
        "" => MicrosoftAzureBuilder::from_env(),
        key => MicrosoftAzureBuilder::new().with_access_key(key),
    };
    if !config.endpoint.is_empty() {
        builder = builder.with_endpoint(config.endpoint.trim_end_matches('/').to_owned());
    }
    let inside = builder
        .with_account(&config.account)
        .with_container_name(&config.container)
        .with_client_options(ClientOptions::new().with_allow_http(config.endpoint.starts_with("http://")))
        .with_retry(retries)
        .with_http_connector(Patient(Arc::clone(http)))
        .build()
        .map(Arc::new)
        .map_err(|error| error.to_string())?;
    let signer = (config.redirect == Redirect::On).then(|| Arc::clone(&inside) as Arc<dyn Signer>);
    Ok(Bucket {
        objects: Arc::clone(&inside) as _,
        pages: Some(Arc::clone(&inside) as _),
        parts: inside,
        part_copies: None,
        signer,
        prefix: config.prefix.clone(),
    })
}
