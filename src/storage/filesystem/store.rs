//! The parts of a filesystem storage, held together. What it does is in `blobs.rs` and `links.rs`.

use crate::storage::error::{Error, Result};
use crate::storage::filesystem::hashes::Hashes;
use crate::storage::filesystem::pool::Pool;
use crate::storage::filesystem::publisher::Publisher;
use crate::storage::filesystem::root::Root;
use std::io;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Storage in a folder.
pub struct Filesystem {
    /// The folder.
    pub root: Arc<Root>,
    /// The thread that makes things durable.
    pub publisher: Publisher,
    /// Hash states of uploads.
    pub hashes: Arc<Hashes>,
    /// Buffers for reading.
    pub pool: Arc<Pool>,
}

impl Filesystem {
    /// Storage in an open folder.
    pub fn new(root: Root) -> Result<Self> {
        let root = Arc::new(root);
        let publisher = Publisher::start(Arc::clone(&root))?;
        Ok(Self { root, publisher, hashes: Arc::default(), pool: Arc::default() })
    }
}

/// Runs what may wait for the disk where it holds up nobody.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    ended(tokio::task::spawn_blocking(work)).await
}

/// Waits for what was begun aside.
pub async fn ended<T>(task: JoinHandle<Result<T>>) -> Result<T> {
    task.await.unwrap_or_else(|e| Err(Error::at("a task of storage", io::Error::other(e))))
}
