//! The trait of names: which repository holds which blob and manifest, and what its tags mean.

use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::storage::error::Result;

/// One name that storage can hold for a repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Link {
    /// The repository holds this blob (`_layers`).
    Layer(Digest),
    /// The repository holds this manifest (`_manifests/revisions`).
    Revision(Digest),
    /// The tag means this manifest now (`_manifests/tags/<tag>/current`), and meant it ever (`/index`).
    Tag(Tag, Digest),
}

/// A name to take away.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// The repository's hold on a blob.
    Layer(Digest),
    /// The repository's hold on a manifest.
    Revision(Digest),
    /// A tag, with its history.
    Tag(Tag),
}

/// What a walk meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A link that reads well. `modified` is in seconds since the Unix epoch.
    Link {
        /// The link.
        link: Link,
        /// When it was last written.
        modified: u64,
    },
    /// Something that has no place in the layout, or cannot be read: where, and what is wrong with it.
    Odd {
        /// The path below the storage root.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// A repository in a walk over all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundRepository {
    /// One whose name is good.
    Repository(Repository),
    /// A folder that is none.
    Odd {
        /// The path below the storage root.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// Names of blobs and manifests. Every backend passes `contract.rs`.
#[async_trait::async_trait]
pub trait Links: Send + Sync {
    /// Writes links, durably when it returns: revisions and layers before tags. A link that was there already
    /// is no error; a tag is moved. One call at a time for each tag.
    async fn record(&self, repository: &Repository, links: &[Link]) -> Result<()>;

    /// Removes names, durably when it returns, tags first. One that was not there is no error.
    async fn forget(&self, repository: &Repository, names: &[Name]) -> Result<()>;

    /// Makes durable whatever is seen of names and bytes now, also what an earlier process has left unsynced.
    async fn sync(&self) -> Result<()>;

    /// What a name means: its digest. A link that cannot be read counts as absent.
    async fn resolve(&self, repository: &Repository, name: &Name) -> Result<Option<Digest>>;

    /// All that one repository holds, and everything odd in it. `visit` is called for each, layers before
    /// revisions before tags.
    async fn walk(&self, repository: &Repository, visit: &mut (dyn FnMut(Found) + Send)) -> Result<()>;

    /// All repositories, in no order; a bad folder does not end the walk.
    async fn repositories(&self) -> Result<Vec<FoundRepository>>;

    /// Whether there is no repository at all, without walking.
    async fn is_empty(&self) -> Result<bool>;

    /// Whether there is nothing that a name could lead to: no blob at all, without walking.
    async fn lead_nowhere(&self) -> Result<bool>;
}
