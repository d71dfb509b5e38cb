//! The hash states of uploads in progress, in memory, and the turn of each upload: whoever works on the staged
//! bytes of one holds it, even after the caller has gone. Losing states costs a reading of the staged bytes.

use crate::oci::digest::Algorithm;
use crate::oci::hasher::Hasher;
use crate::oci::upload::UploadId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// So many uploads are remembered.
const UPLOADS_MAX: usize = 8192;

/// The hash of an upload's first bytes.
#[derive(Clone)]
pub struct Hashed {
    /// How many bytes.
    pub bytes: u64,
    /// The state after them.
    pub hasher: Hasher,
}

/// An upload's turn. What is put in is there for the next holder.
pub type Held = OwnedMutexGuard<Option<Hashed>>;

/// All uploads that are known.
#[derive(Default)]
pub struct Hashes {
    uploads: Mutex<HashMap<UploadId, Arc<tokio::sync::Mutex<Option<Hashed>>>>>,
}

impl Hashes {
    /// Waits until nobody else works on the upload.
    pub async fn hold(&self, upload: UploadId) -> Held {
        let turn = {
            let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
            if uploads.len() >= UPLOADS_MAX && !uploads.contains_key(&upload) {
                uploads.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(uploads.entry(upload).or_default())
        };
        turn.lock_owned().await
    }

    /// Drops what is known of an upload that is over. Only for who holds it.
    pub fn forget(&self, upload: UploadId) {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner).remove(&upload);
    }
}

/// The state after `bytes` bytes, if it is known.
pub fn known(held: &Held, bytes: u64, algorithm: Algorithm) -> Option<Hasher> {
    if bytes == 0 {
        return Some(Hasher::new(algorithm));
    }
    let hashed = held.as_ref()?;
    (hashed.bytes == bytes && hashed.hasher.algorithm() == algorithm).then(|| hashed.hasher.clone())
}
