//! Whether what a configuration names is there and can be used: storage, metadata, certificates. Changes nothing but what
//! a trial takes, and starts nothing.

use crate::app::config::settings::Settings;
use crate::app::identity::Identity;
use crate::metadata::postgres::reach;
use crate::oci::digest::Algorithm;
use crate::oci::hasher;
use crate::storage;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long one thing may take to answer.
const WITHIN: Duration = Duration::from_secs(30);

/// One thing that was tried.
#[derive(Debug)]
pub struct Tried {
    /// What.
    pub what: &'static str,
    /// How it stands, or why it cannot be used.
    pub result: Result<String, String>,
}

/// Tries everything, one after the other.
pub async fn all(settings: &Settings) -> Vec<Tried> {
    vec![
        Tried { what: "storage", result: in_time(storage(settings)).await },
        Tried { what: "metadata", result: in_time(metadata(settings)).await },
        Tried { what: "tls", result: tls(settings) },
    ]
}

async fn in_time(trial: impl Future<Output = Result<String, String>>) -> Result<String, String> {
    let late = || Err(format!("no answer within {} seconds", WITHIN.as_secs()));
    tokio::time::timeout(WITHIN, trial).await.unwrap_or_else(|_| late())
}

async fn storage(settings: &Settings) -> Result<String, String> {
    let data = Path::new(&settings.data);
    if !data.exists() && settings.storage.filesystem.root.is_empty() && is_folder(settings) {
        return Ok(format!("{} is not there yet; the first start makes it", data.display()));
    }
    let storage = storage::open::open(&settings.storage, data).await.map_err(|error| error.to_string())?;
    let begun = Instant::now();
    // Nobody has a blob of this name, and it costs a look all the same.
    let digest = hasher::digest(Algorithm::Sha256, b"holdfast check");
    storage.blobs.stat(&digest).await.map_err(|error| error.to_string())?;
    Ok(format!("is there and can be written; a look takes {} ms", begun.elapsed().as_millis()))
}

/// Whether images are in a folder: then nothing else is configured.
fn is_folder(settings: &Settings) -> bool {
    let folder = storage::config::Config {
        filesystem: settings.storage.filesystem.clone(),
        ..storage::config::Config::default()
    };
    settings.storage == folder
}

async fn metadata(settings: &Settings) -> Result<String, String> {
    if settings.metadata.postgres.is_on() {
        let begun = Instant::now();
        let (version, schema) =
            reach::reach(&settings.metadata.postgres).await.map_err(|error| error.to_string())?;
        let schema = schema.map_or_else(
            || "no schema yet: the first start makes it".to_owned(),
            |version| format!("schema {version}"),
        );
        return Ok(format!("PostgreSQL {version}, {schema}; answered in {} ms", begun.elapsed().as_millis()));
    }
    let folder = crate::metadata::open::folder(&settings.metadata, Path::new(&settings.data));
    // The nearest one that is there decides whether it can be made.
    let there =
        folder.ancestors().find(|path| path.exists()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    let known = std::fs::metadata(&there).map_err(|error| format!("{}: {error}", there.display()))?;
    if !known.is_dir() {
        return Err(format!("{} is no folder", there.display()));
    }
    if rustix::fs::access(&there, rustix::fs::Access::WRITE_OK).is_err() {
        return Err(format!("{} cannot be written", there.display()));
    }
    let is_new = if there == folder { "is there" } else { "is not there yet; the first start makes it" };
    Ok(format!("{} {is_new}", folder.display()))
}

fn tls(settings: &Settings) -> Result<String, String> {
    match Identity::of(&settings.server) {
        Ok(Identity::Plain) => Ok("plain HTTP".into()),
        Ok(Identity::Files(_, pair)) => Ok(format!("a certificate for {}", pair.told())),
        Ok(Identity::Acme) => Ok("a certificate is had from the ACME server at the first start".into()),
        Err(refusal) => Err(refusal.clone()),
    }
}
