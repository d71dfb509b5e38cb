//! Whether the metadata tells all that storage holds: not while it is being made again.

use crate::metadata::error::Result;

/// The mark that stands in metadata which was made from the whole of storage, or from nothing.
#[async_trait::async_trait]
pub trait Completeness: Send + Sync {
    /// Whether the mark stands.
    async fn is_complete(&self) -> Result<bool>;

    /// Sets the mark, durably.
    async fn set_complete(&self) -> Result<()>;
}
