//! How a move can fail, and at which of its ends.

use crate::{metadata, registry, storage};

/// A failure of a move. It may be begun again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The storage that is read.
    #[error("the source: {0}")]
    Source(storage::error::Error),
    /// The storage that is written.
    #[error("the target: {0}")]
    Target(storage::error::Error),
    /// The facts of either end.
    #[error("the metadata: {0}")]
    Metadata(#[from] metadata::error::Error),
    /// Making facts in the target.
    #[error("the metadata of the target could not be made: {0}")]
    Facts(#[from] registry::error::Error),
    /// The target is not one to move to: a sentence that says why.
    #[error("{0}")]
    Refused(String),
    /// Somebody else writes to the target.
    #[error("somebody else writes to the target: {0} changed under our hands")]
    Crossed(String),
}

/// What a move answers.
pub type Result<T> = std::result::Result<T, Error>;
