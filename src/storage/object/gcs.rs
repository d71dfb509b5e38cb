//! A bucket on Google Cloud Storage. The only file that knows how the library is told so.

use crate::storage::config::{Gcs, Redirect};
use crate::storage::object::bucket::Bucket;
use crate::storage::object::patience::{Http, Patient};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::signer::Signer;
use object_store::{ClientOptions, RetryConfig};
use std::sync::Arc;

/// Opens the bucket of these settings. Why not, if it makes no sense.
pub fn open(config: &Gcs, http: &Http, retries: RetryConfig) -> Result<Bucket, String> {
    // Without a key of ours, all that the library knows counts: the environment, and the machine.
    let mut builder = match config.service_account.as_str() {
        "" => GoogleCloudStorageBuilder::from_env(),
        path => GoogleCloudStorageBuilder::new().with_service_account_path(path),
    };
    if !config.endpoint.is_empty() {
        builder = builder.with_base_url(config.endpoint.trim_end_matches('/'));
    }
    let inside = builder
        .with_bucket_name(&config.bucket)
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
