//! Opens the storage that the configuration names. The only file that knows all backends.

use crate::clock::{Clock, SystemClock};
use crate::storage::blobs::Blobs;
use crate::storage::claim::Claim;
use crate::storage::config::Config;
use crate::storage::error::{Error, Result};
use crate::storage::filesystem::claim::FolderClaim;
use crate::storage::filesystem::root::Root;
use crate::storage::filesystem::store::Filesystem;
use crate::storage::links::Links;
use crate::storage::object::bucket::Bucket;
use crate::storage::object::claim::BucketClaim;
use crate::storage::object::objects::Objects;
use crate::storage::object::patience::{Http, Patient, retries};
use crate::storage::object::uploads::store::{Settings, Uploads};
use crate::storage::object::{s3, selftest};
use crate::storage::records::Records;
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The parts of an open storage.
#[derive(Clone)]
pub struct Storage {
    /// Bytes by digest.
    pub blobs: Arc<dyn Blobs>,
    /// Names.
    pub links: Arc<dyn Links>,
    /// Records.
    pub records: Arc<dyn Records>,
    /// Who has metadata of it.
    pub claim: Arc<dyn Claim>,
}

/// Opens storage; `data` is where it stands if the configuration names no place. Refuses a folder that cannot be
/// written, and a bucket that cannot be used.
pub async fn open(config: &Config, data: &Path) -> Result<Storage> {
    let named = named(config, data);
    if !config.s3.bucket.is_empty() {
        let bucket = s3::open(&config.s3, &http(), &retries()).map_err(|why| refuse(&named, why))?;
        let client = s3::client(&config.s3, &http()).map_err(|why| refuse(&named, why))?;
        let settings = Settings {
            part_copies_above_bytes: config.s3.part_copies_above_bytes,
            ..settings(config.s3.part_bytes, config.s3.buffer_bytes)
        };
        return tried(bucket, &named, &client, settings).await;
    }
    if !config.gcs.bucket.is_empty() {
        return gcs(config, &named).await;
    }
    if !config.azure.container.is_empty() {
        return azure(config, &named).await;
    }
    let root = Root::open(&folder(config, data), config.filesystem.free_bytes_min)?;
    let filesystem = Arc::new(Filesystem::new(root)?);
    Ok(Storage {
        blobs: Arc::clone(&filesystem) as Arc<dyn Blobs>,
        links: Arc::clone(&filesystem) as Arc<dyn Links>,
        claim: Arc::new(FolderClaim::new(Arc::clone(&filesystem.root), Arc::new(SystemClock))),
        records: filesystem,
    })
}

/// What people call the storage of a configuration: a folder, or a bucket at a server. Holds no secret.
pub fn named(config: &Config, data: &Path) -> String {
    let at = |bucket: &str, prefix: &str, server: &str| {
        let prefix = if prefix.is_empty() { String::new() } else { format!(" below {prefix}/") };
        format!("the bucket {bucket}{prefix} at {server}")
    };
    let or = |endpoint: &str, else_at: &str| {
        if endpoint.is_empty() { else_at.to_owned() } else { endpoint.to_owned() }
    };
    let Config { s3, gcs, azure, .. } = config;
    if !s3.bucket.is_empty() {
        return at(&s3.bucket, &s3.prefix, &or(&s3.endpoint, "Amazon S3"));
    }
    if !gcs.bucket.is_empty() {
        return at(&gcs.bucket, &gcs.prefix, &or(&gcs.endpoint, "Google Cloud Storage"));
    }
    if !azure.container.is_empty() {
        return at(&azure.container, &azure.prefix, &or(&azure.endpoint, "Azure Blob Storage"));
    }
    folder(config, data).display().to_string()
}

fn folder(config: &Config, data: &Path) -> PathBuf {
    match config.filesystem.root.as_str() {
        "" => data.join("registry"),
        root => root.into(),
    }
}

#[cfg(feature = "gcs")]
async fn gcs(config: &Config, named: &str) -> Result<Storage> {
    use crate::storage::object::gcs;
    let bucket = gcs::open(&config.gcs, &http(), retries()).map_err(|why| refuse(named, why))?;
    tried(bucket, named, &client(named)?, settings(config.gcs.part_bytes, config.gcs.buffer_bytes)).await
}

#[cfg(not(feature = "gcs"))]
#[allow(clippy::unused_async)]
async fn gcs(_: &Config, named: &str) -> Result<Storage> {
    Err(refuse(named, "this program was built without the feature `gcs`".into()))
}

#[cfg(feature = "azure")]
async fn azure(config: &Config, named: &str) -> Result<Storage> {
    use crate::storage::object::azure;
    let bucket = azure::open(&config.azure, &http(), retries()).map_err(|why| refuse(named, why))?;
    // Its answer to a copy may be that it has begun: what is copied part by part is there when it is answered.
    let settings =
        Settings { copy_bytes_max: 0, ..settings(config.azure.part_bytes, config.azure.buffer_bytes) };
    tried(bucket, named, &client(named)?, settings).await
}

#[cfg(not(feature = "azure"))]
#[allow(clippy::unused_async)]
async fn azure(_: &Config, named: &str) -> Result<Storage> {
    Err(refuse(named, "this program was built without the feature `azure`".into()))
}

/// How requests go out.
fn http() -> Http {
    Arc::new(ReqwestConnector::default())
}

/// A client that asks for what is signed.
#[cfg(any(feature = "gcs", feature = "azure"))]
fn client(named: &str) -> Result<HttpClient> {
    let options = object_store::ClientOptions::new().with_allow_http(true);
    Patient(http()).connect(&options).map_err(|error| refuse(named, error.to_string()))
}

/// Storage in a bucket, once it was tried.
async fn tried(bucket: Bucket, named: &str, client: &HttpClient, settings: Settings) -> Result<Storage> {
    selftest::run(&bucket, named).await?;
    selftest::redirects(&bucket, named, client).await?;
    Ok(storage(bucket, settings))
}

/// How uploads go, with parts of so many bytes, and so much memory for them.
pub fn settings(part_bytes: u64, buffer_bytes: u64) -> Settings {
    Settings { part_bytes, buffer_bytes, ..Settings::default() }
}

/// Storage in an open bucket.
pub fn storage(bucket: Bucket, settings: Settings) -> Storage {
    let uploads = Uploads::new(bucket.clone(), settings);
    let claim = Arc::new(BucketClaim::new(bucket.clone(), Arc::new(SystemClock) as Arc<dyn Clock>));
    let objects = Arc::new(Objects::new(bucket, uploads));
    Storage { blobs: Arc::clone(&objects) as _, links: Arc::clone(&objects) as _, records: objects, claim }
}

fn refuse(named: &str, why: String) -> Error {
    Error::at(named, io::Error::new(io::ErrorKind::InvalidInput, why))
}
