//! What was heard last from storage and metadata: kept by the registry, so that many who ask share one answer.

use tokio::sync::Mutex;
use tokio::time::Instant;

/// What does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silent {
    /// Storage.
    Storage,
    /// The metadata.
    Metadata,
}

/// What was heard last, and when.
#[derive(Default)]
pub struct Heard(pub(in crate::registry) Mutex<Option<(Instant, Option<Silent>)>>);
