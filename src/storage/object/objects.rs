//! The parts of a storage in a bucket, held together. What it does is in `blobs.rs`, `links.rs` and `records.rs`.

use crate::record::Shelf;
use crate::storage::object::bucket::Bucket;
use crate::storage::object::uploads::store::Uploads;
use std::hash::{DefaultHasher, Hash, Hasher};
use tokio::sync::{Mutex, MutexGuard};

/// So many changes of records can be under way at once in a process.
const TURNS: usize = 64;

/// Storage in a bucket.
pub struct Objects {
    /// The bucket.
    pub bucket: Bucket,
    /// Uploads on their way into it.
    pub uploads: Uploads,
    turns: Vec<Mutex<()>>,
}

impl Objects {
    /// Storage in an open bucket.
    pub fn new(bucket: Bucket, uploads: Uploads) -> Self {
        Self { bucket, uploads, turns: (0..TURNS).map(|_| Mutex::default()).collect() }
    }

    /// The turn to change a record. Two processes are kept apart by the bucket itself, and by the intents of a shared
    /// metadata; this keeps those of one process from losing to each other.
    pub async fn turn(&self, shelf: Shelf, name: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        (shelf, name).hash(&mut hasher);
        match self.turns.get(hasher.finish() as usize % TURNS) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }
}
