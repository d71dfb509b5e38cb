//! Manifests, their tags and their referrers, and which repositories there are.

use crate::metadata::error::Result;
use crate::metadata::intents::IntentId;
use crate::oci::digest::Digest;
use crate::oci::media_type::Kind;
use crate::oci::page::{Listed, Page};
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use bytes::Bytes;

/// Largest manifest whose bytes stand in the metadata; the bytes of larger ones are read from storage.
pub const BODY_BYTES_MAX: usize = 60 << 10;

/// What answers a HEAD of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The manifest's digest.
    pub digest: Digest,
    /// Its kind, and so its media type.
    pub kind: Kind,
    /// Its size in bytes.
    pub size: u64,
}

/// A manifest to record.
#[derive(Debug, Clone)]
pub struct NewManifest {
    /// Digest, kind and size.
    pub resolved: Resolved,
    /// The bytes, if they are not more than [`BODY_BYTES_MAX`].
    pub body: Option<Bytes>,
    /// Blobs that the repository must hold.
    pub blobs: Vec<Digest>,
    /// Manifests that the repository must hold.
    pub children: Vec<Digest>,
    /// The manifest that this one refers to, with the descriptor that the referrers list shows.
    pub subject: Option<(Digest, Referrer)>,
    /// Tags to move here.
    pub tags: Vec<Tag>,
    /// Seconds since the Unix epoch.
    pub pushed: u64,
}

/// One entry of a referrers list: the filter's field apart, the descriptor as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// The referring manifest.
    pub digest: Digest,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// Its descriptor in JSON, or `None` where that would be too large a row: then it is made again from the
    /// manifest.
    pub descriptor: Option<String>,
}

/// The answer to a push of a manifest.
#[derive(Debug, PartialEq, Eq)]
pub enum Put {
    /// It is recorded.
    Recorded,
    /// Nothing was recorded: the repository does not hold these blobs or manifests.
    Absent(Vec<Digest>),
}

/// The facts about manifests.
#[async_trait::async_trait]
pub trait Manifests: Send + Sync {
    /// What a reference means in a repository.
    async fn resolve(&self, repository: &Repository, reference: &Reference) -> Result<Option<Resolved>>;

    /// The bytes of a manifest that the repository holds. `Some(None)`: it is too large to stand here.
    async fn body(&self, repository: &Repository, digest: &Digest) -> Result<Option<Option<Bytes>>>;

    /// Records a manifest with its tags and its referrer edge, and fulfils the intent (`Error::Overtaken` if that is not
    /// this process's any more). With `demand`, only if the repository holds all that it names, seen in the same
    /// transaction.
    async fn put(
        &self,
        repository: &Repository,
        manifest: NewManifest,
        demand: bool,
        fulfilled: Option<IntentId>,
    ) -> Result<Put>;

    /// Forgets a tag. False: there was none. With `under`, only if that intent is still this process's
    /// (`Error::Overtaken`); it goes on standing.
    async fn untag(&self, repository: &Repository, tag: &Tag, under: Option<IntentId>) -> Result<bool>;

    /// Forgets a manifest and the tags that mean it, and answers them; `None`: there was no such manifest. `under` as
    /// for `untag`.
    async fn forget(
        &self,
        repository: &Repository,
        digest: &Digest,
        under: Option<IntentId>,
    ) -> Result<Option<Vec<Tag>>>;

    /// Tags in byte order; `None` if nothing is known of the repository.
    async fn tags(&self, repository: &Repository, page: &Page) -> Result<Option<Listed<Tag>>>;

    /// Manifests that refer to `subject`, in the order of their digests (`page.last` is one), with this
    /// artifact type if one is given.
    async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: &Page,
    ) -> Result<Listed<Referrer>>;

    /// Repositories that hold a manifest, in byte order.
    async fn repositories(&self, page: &Page) -> Result<Listed<Repository>>;
}
