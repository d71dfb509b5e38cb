//! Whether the metadata tells all that storage holds: not while it is being made again.

use crate::metadata::error::Result;

/// The lease of whoever makes it again, where several processes share it.
pub const REBUILD: &str = "rebuild";

/// The mark that stands in metadata which was made from the whole of storage, or from nothing.
#[async_trait::async_trait]
pub trait Completeness: Send + Sync {
    /// Whether the mark stands.
    async fn is_complete(&self) -> Result<bool>;

    /// Sets the mark, durably; not while another process has the lease to make it again.
    async fn set_complete(&self) -> Result<()>;

    /// Takes the mark away, durably: storage may hold what this metadata does not tell.
    async fn doubt(&self) -> Result<()>;

    /// Takes away the mark, and then all that storage tells, for whoever makes it again: what was begun before may tell of
    /// names that are gone by now. What no storage tells stays. For one process at a time, while nothing is changed.
    async fn clear(&self) -> Result<()>;
}
