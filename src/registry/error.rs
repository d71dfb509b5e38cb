//! What a rule can refuse, and how it can fail.

use crate::oci::digest::Digest;
use crate::oci::error::Invalid;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::{metadata, read_only, storage};

/// A refusal or a failure of a rule.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value is not what it should be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Nothing is known of this repository.
    #[error("repository {0} is not known")]
    RepositoryUnknown(Repository),
    /// The repository does not hold this blob.
    #[error("blob {1} is not known in repository {0}")]
    BlobUnknown(Repository, Digest),
    /// The repository does not hold this manifest, or has no such tag.
    #[error("manifest {1} is not known in repository {0}")]
    ManifestUnknown(Repository, Reference),
    /// There is no such upload in this repository.
    #[error(
        "the upload session is not known; it may have been finished, cancelled or dropped after a long pause"
    )]
    UploadUnknown,
    /// The manifest names what the repository does not hold.
    #[error("the manifest names {} blobs or manifests that the repository does not hold", .0.len())]
    ContentAbsent(Vec<Digest>),
    /// The bytes are not of the digest that was said.
    #[error("the bytes are {actual}, not {said}")]
    DigestMismatch {
        /// What the client said.
        said: Digest,
        /// What the bytes are.
        actual: Digest,
    },
    /// The chunk does not begin where the upload stands, or is not as long as it says.
    #[error("the chunk does not fit: the upload stands at {offset} bytes")]
    OutOfOrder {
        /// Bytes that were taken.
        offset: u64,
    },
    /// Another request is writing to the same upload.
    #[error("another request is writing to this upload")]
    UploadBusy,
    /// Another process has had the same names under its hands for too long.
    #[error("another replica of this registry is changing the same names; try again")]
    InTheWay,
    /// Somebody else has claimed the storage, or may have.
    #[error(
        "this registry cannot reach the storage's claim, or has lost it to another one, and changes nothing"
    )]
    Unclaimed,
    /// No changes are taken.
    #[error(transparent)]
    ReadOnly(#[from] read_only::Refused),
    /// As many uploads are open as are allowed.
    #[error("too many uploads are open; finish or cancel some, or try again later")]
    UploadsTooMany,
    /// The body ended before its end. What came before is kept, so that the client can go on.
    #[error("the body was cut off: {0}")]
    Cut(std::io::Error),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] storage::error::Error),
    /// Metadata failed.
    #[error(transparent)]
    Metadata(#[from] metadata::error::Error),
    /// The metadata says that bytes are there, and storage says that they are not: damage, not absence.
    #[error("the bytes of {0} are lost from storage")]
    Lost(Digest),
}

/// What a rule answers.
pub type Result<T> = std::result::Result<T, Error>;
