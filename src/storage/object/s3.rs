//! A bucket on S3, or on what speaks it. The only file that knows how the library is told so.

use crate::storage::config::{Encryption, Redirect, S3};
use crate::storage::object::bucket::Bucket;
use crate::storage::object::part_copies;
use crate::storage::object::patience::{Http, Patient};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{HttpClient, HttpConnector};
use object_store::signer::Signer;
use object_store::{Certificate, ClientOptions, RetryConfig};
use std::sync::Arc;

/// Opens the bucket of these settings. Why not, if it makes no sense; whether it is there is for `selftest.rs`.
pub fn open(config: &S3, http: &Http, retries: &RetryConfig) -> Result<Bucket, String> {
    let build = |endpoint: &str, signed: bool| -> Result<Arc<AmazonS3>, String> {
        // TLS keeps what is on its way; without it, a signature over the body does.
        let unsigned = !signed || !is_plain(endpoint);
        let builder = builder(config, endpoint)?.with_unsigned_payload(unsigned);
        let builder = builder.with_http_connector(Patient(Arc::clone(http))).with_retry(retries.clone());
        builder.build().map(Arc::new).map_err(|error| error.to_string())
    };
    let inside = build(&config.endpoint, true)?;
    // Whoever puts other bytes in the place of a part changes its tag, with which the upload is not completed. Whatever
    // is put in one request is always signed, accounts among it.
    let parts = if config.sign_parts { Arc::clone(&inside) } else { build(&config.endpoint, false)? };
    let signer: Option<Arc<dyn Signer>> = match (config.redirect, config.public_endpoint.as_str()) {
        (Redirect::Off, _) => None,
        (Redirect::On, "") => Some(Arc::clone(&inside) as Arc<dyn Signer>),
        (Redirect::On, public) => Some(build(public, true)?),
    };
    let part_copies = part_copies::S3 {
        signer: Arc::clone(&inside) as _,
        client: Patient(Arc::clone(http))
            .connect(&options(config, is_plain(&config.endpoint))?)
            .map_err(|error| error.to_string())?,
        bucket: config.bucket.clone(),
    };
    let pages = Some(Arc::clone(&inside) as _);
    let part_copies = Some(Arc::new(part_copies) as _);
    Ok(Bucket { objects: inside, pages, parts, part_copies, signer, prefix: config.prefix.clone() })
}

fn builder(config: &S3, endpoint: &str) -> Result<AmazonS3Builder, String> {
    // Without a key of ours, all that the library knows counts: web identity, roles of tasks, pods and machines.
    let mut builder = match config.access_key_id.as_str() {
        "" => AmazonS3Builder::from_env(),
        key => AmazonS3Builder::new()
            .with_access_key_id(key)
            .with_secret_access_key(config.secret_access_key.expose()),
    };
    if !config.session_token.is_empty() {
        builder = builder.with_token(config.session_token.expose());
    }
    if !config.region.is_empty() {
        builder = builder.with_region(&config.region);
    }
    if !endpoint.is_empty() {
        let endpoint = if config.path_style { endpoint.to_owned() } else { hosted(endpoint, &config.bucket) };
        // The key that wins over all others, whatever the environment says.
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint.trim_end_matches('/'));
    }
    for (key, value) in encryption(config) {
        let key = key.parse::<AmazonS3ConfigKey>().map_err(|error| error.to_string())?;
        builder = builder.with_config(key, value);
    }
    Ok(builder
        .with_bucket_name(&config.bucket)
        .with_virtual_hosted_style_request(!config.path_style)
        // One by one: not every server knows how to remove many at once.
        .with_disable_bulk_delete(true)
        .with_client_options(options(config, is_plain(endpoint))?))
}

/// Whether a server is spoken to without TLS.
fn is_plain(endpoint: &str) -> bool {
    endpoint.starts_with("http://")
}

fn options(config: &S3, plain: bool) -> Result<ClientOptions, String> {
    let mut options = ClientOptions::new().with_allow_http(plain);
    if !config.ca_certificate.is_empty() {
        for certificate in certificates(&config.ca_certificate)? {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

/// A client that asks for what is signed, as somebody else would.
pub fn client(config: &S3, http: &Http) -> Result<HttpClient, String> {
    Patient(Arc::clone(http)).connect(&options(config, true)?).map_err(|error| error.to_string())
}

/// What the library is told of encryption: without a key of KMS, the one that is the account's own counts.
fn encryption(config: &S3) -> Vec<(&'static str, &str)> {
    let how = match config.sse {
        Encryption::Bucket => return Vec::new(),
        Encryption::Aes256 => "AES256",
        Encryption::Kms => "aws:kms",
    };
    let key = Some(("aws_sse_kms_key_id", config.sse_kms_key_id.as_str())).filter(|(_, key)| !key.is_empty());
    std::iter::once(("aws_server_side_encryption", how)).chain(key).collect()
}

/// An endpoint with the bucket as the first part of its host.
fn hosted(endpoint: &str, bucket: &str) -> String {
    match endpoint.trim_end_matches('/').split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{bucket}.{host}"),
        None => endpoint.to_owned(),
    }
}

fn certificates(path: &str) -> Result<Vec<Certificate>, String> {
    let told = |why: String| format!("`storage.s3.ca_certificate`: {path}: {why}");
    let pem = std::fs::read(path).map_err(|error| told(error.to_string()))?;
    Certificate::from_pem_bundle(&pem).map_err(|error| told(error.to_string()))
}
