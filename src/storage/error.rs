//! How storage can fail to answer. "Absent" is never an error here.

use std::io;

/// Storage could not answer, or could not take what it was given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No room: the operator must make some. Nothing of the refused write is kept.
    #[error("the storage is full")]
    Full,
    /// Bytes of an upload that were staged are gone, as after a power cut. The upload has to begin again.
    #[error("staged bytes of the upload are lost")]
    StagedLost,
    /// It cannot be reached, is overloaded, or does not answer in time. Worth trying again. `what` and the cause are for
    /// the log only.
    #[error("storage does not answer at {what}: {why}")]
    Unreachable {
        /// The object, as a path below the root.
        what: String,
        /// The cause.
        why: String,
    },
    /// The medium failed. `what` names the object, for the log only.
    #[error("storage fault at {what}: {source}")]
    Fault {
        /// The object, as a path below the root.
        what: String,
        /// The cause.
        source: io::Error,
    },
}

/// What storage answers.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of the operating system at an object.
    pub fn at(what: impl Into<String>, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Fault { what: what.into(), source },
        }
    }

    /// The same answer for several who waited for one operation.
    #[must_use]
    pub fn again(&self) -> Self {
        match self {
            Self::Full => Self::Full,
            Self::StagedLost => Self::StagedLost,
            Self::Unreachable { what, why } => Self::Unreachable { what: what.clone(), why: why.clone() },
            Self::Fault { what, source } => {
                Self::Fault { what: what.clone(), source: io::Error::new(source.kind(), source.to_string()) }
            }
        }
    }
}
