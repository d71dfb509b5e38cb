//! The trait of names, in a bucket. A write is durable when it is answered, so there is nothing to sync.

use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::links::{Found, FoundRepository, Link, Links, Name};
use crate::storage::object::bucket::{Listed, PutIf};
use crate::storage::object::objects::Objects;
use crate::storage::object::walk::LINK_BYTES_MAX;
use crate::storage::object::{repositories, walk};
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::UpdateVersion;

/// Requests under way at once for one call.
const AT_ONCE: usize = 16;

/// A tag that is about to be moved.
struct Moving {
    /// Where it stands.
    path: String,
    /// What it will say.
    text: String,
    /// What stood there.
    over: Option<UpdateVersion>,
}

#[async_trait::async_trait]
impl Links for Objects {
    async fn record(&self, repository: &Repository, links: &[Link]) -> Result<()> {
        let (mut first, mut tags) = (Vec::new(), Vec::new());
        for link in links {
            let (Link::Layer(digest) | Link::Revision(digest) | Link::Tag(_, digest)) = link;
            let text = layout::link_text(digest);
            let mut paths = layout::link_files(repository, link);
            if matches!(link, Link::Tag(..)) {
                tags.extend(paths.pop().map(|path| (path, text.clone()))); // the most important one is the last
            }
            first.extend(paths.into_iter().map(|path| (path, text.clone())));
        }
        // What a tag will mean stands before the tag does.
        let ((), tags) = futures_util::future::try_join(self.write(first), self.seen(tags)).await?;
        self.point(tags).await
    }

    async fn forget(&self, repository: &Repository, names: &[Name]) -> Result<()> {
        let (tags, others): (Vec<&Name>, Vec<&Name>) =
            names.iter().partition(|name| matches!(name, Name::Tag(_)));
        let files = |names: &[&Name]| names.iter().map(|name| layout::name_file(repository, name)).collect();
        self.remove(files(&tags)).await?;
        for tag in tags {
            let history = self.bucket.below(&layout::name_folder(repository, tag), None);
            let removed = history.map(|object| async {
                match object? {
                    // Nobody can name it, so nobody can remove it, and it means nothing.
                    Listed { strange: true, .. } => Ok(()),
                    object => self.bucket.remove(&object.path).await,
                }
            });
            removed.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        }
        self.remove(files(&others)).await
    }

    async fn sync(&self) -> Result<()> {
        Ok(())
    }

    async fn resolve(&self, repository: &Repository, name: &Name) -> Result<Option<Digest>> {
        let text = match self.bucket.small(&layout::name_file(repository, name), LINK_BYTES_MAX).await {
            Ok(link) => link.map(|link| link.bytes),
            // Too large for a link: what cannot be read counts as absent.
            Err(Error::Fault { source, .. }) if source.kind() == std::io::ErrorKind::InvalidData => None,
            Err(error) => return Err(error),
        };
        let meant = text.and_then(|text| layout::linked(&text));
        Ok(meant.filter(|meant| match name {
            Name::Layer(digest) | Name::Revision(digest) => meant == digest,
            Name::Tag(_) => true,
        }))
    }

    async fn walk(&self, repository: &Repository, visit: &mut (dyn FnMut(Found) + Send)) -> Result<()> {
        walk::repository(&self.bucket, repository, visit).await
    }

    async fn repositories(&self) -> Result<Vec<FoundRepository>> {
        repositories::all(&self.bucket).await
    }

    async fn is_empty(&self) -> Result<bool> {
        self.bucket.has_nothing(layout::REPOSITORIES).await
    }

    async fn lead_nowhere(&self) -> Result<bool> {
        self.bucket.has_nothing(layout::BLOBS).await
    }
}

impl Objects {
    async fn write(&self, objects: Vec<(String, String)>) -> Result<()> {
        let written = stream::iter(objects)
            .map(|(path, text)| async move { self.bucket.put(&path, text.into()).await });
        written.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// What stands at the places of tags before they are moved.
    async fn seen(&self, tags: Vec<(String, String)>) -> Result<Vec<Moving>> {
        let seen = stream::iter(tags).map(|(path, text)| async move {
            let over = self.bucket.version(&path).await?;
            Ok(Moving { path, text, over })
        });
        seen.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Moves tags, each over what was seen there. A request that was given up may arrive late, when the tag has been
    /// moved on, and means nothing then. Whoever moves a tag has it to themselves: that something else has come between
    /// is told, and not written over.
    async fn point(&self, tags: Vec<Moving>) -> Result<()> {
        let moved = stream::iter(tags).map(|Moving { path, text, over }| async move {
            match self.bucket.put_if(&path, &text.into(), over.as_ref()).await? {
                PutIf::Done(_) => Ok(()),
                PutIf::Lost => {
                    Err(Error::Unreachable { what: path, why: "the tag was moved by somebody else".into() })
                }
            }
        });
        moved.buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn remove(&self, paths: Vec<String>) -> Result<()> {
        let removed = stream::iter(paths).map(|path| async move { self.bucket.remove(&path).await });
        removed.buffer_unordered(AT_ONCE).try_collect().await
    }
}
