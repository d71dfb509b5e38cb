//! The parts of a move. Holds them and nothing more.

use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::registry::parts::Registry;
use crate::registry::transfer::tally::Tally;
use crate::storage::open::Storage;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::{OnceCell, Semaphore};

/// A move from one storage to another.
pub struct Transfer {
    /// What is read.
    pub from: Storage,
    /// What is written.
    pub to: Storage,
    /// The registry over the target, if facts are to be made in its metadata; `None` where the metadata stays as it is.
    pub facts: Option<Arc<Registry>>,
    /// How far it is.
    pub tally: Arc<Tally>,
    /// Blobs that are carried at once.
    pub(crate) places: Semaphore,
    /// What became of each blob: some hundred bytes each, so that none is read twice.
    pub(crate) carried: Mutex<HashMap<Digest, Arc<OnceCell<Carried>>>>,
    /// What both ends held of a repository when they agreed: the hash of its names.
    pub(crate) agreed: Mutex<HashMap<Repository, Digest>>,
}

/// What became of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// The target has it.
    There,
    /// The source has no bytes of it.
    Absent,
    /// The source has other bytes under its digest.
    Torn,
}

impl Transfer {
    /// A move that has not begun, of at most `at_once` blobs at once.
    pub fn new(from: Storage, to: Storage, facts: Option<Arc<Registry>>, at_once: usize) -> Self {
        Self {
            from,
            to,
            facts,
            tally: Arc::default(),
            places: Semaphore::new(at_once.max(1)),
            carried: Mutex::default(),
            agreed: Mutex::default(),
        }
    }
}
