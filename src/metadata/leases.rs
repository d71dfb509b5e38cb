//! Leases: work that one process at a time does for all that share the metadata.

use crate::metadata::error::Result;
use std::time::Duration;

/// Who does what. Where the metadata belongs to one process, that is always it.
#[async_trait::async_trait]
pub trait Leases: Send + Sync {
    /// Takes the lease of a piece of work for `term` from now on, or renews it. False: another process has it, and may
    /// have it for as long as it renews it. Whoever holds a lease stops before the term ends unless it was renewed: it
    /// may have stood still meanwhile.
    async fn take(&self, work: &str, term: Duration) -> Result<bool>;

    /// Gives a lease back, if this process has it.
    async fn give_back(&self, work: &str) -> Result<()>;
}
