//! The trait of names, on a filesystem.

use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::storage::error::{Error, Result};
use crate::storage::filesystem::files;
use crate::storage::filesystem::record;
use crate::storage::filesystem::store::{Filesystem, aside};
use crate::storage::filesystem::walk;
use crate::storage::layout;
use crate::storage::links::{Found, FoundRepository, Link, Links, Name};
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What is kept free of a disk for one link: its folders and its file take a block each.
const LINK_BYTES: u64 = 16 << 10;

#[async_trait::async_trait]
impl Links for Filesystem {
    async fn record(&self, repository: &Repository, links: &[Link]) -> Result<()> {
        self.root.admit(LINK_BYTES * links.len() as u64)?;
        self.publisher.publish(record::record(repository, links)).await
    }

    async fn forget(&self, repository: &Repository, names: &[Name]) -> Result<()> {
        self.publisher.publish(record::forget(repository, names)).await
    }

    async fn sync(&self) -> Result<()> {
        self.publisher.publish(record::sync()).await
    }

    async fn resolve(&self, repository: &Repository, name: &Name) -> Result<Option<Digest>> {
        let (root, path) = (Arc::clone(&self.root), layout::name_file(repository, name));
        let text = aside(move || match files::read_small(root.folder(), &path) {
            Ok((text, _)) => Ok(Some(text)),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(Error::at(path, e)),
        })
        .await?;
        let meant = text.and_then(|text| layout::linked(&text));
        Ok(meant.filter(|meant| match name {
            Name::Layer(digest) | Name::Revision(digest) => meant == digest,
            Name::Tag(_) => true,
        }))
    }

    async fn walk(&self, repository: &Repository, visit: &mut (dyn FnMut(Found) + Send)) -> Result<()> {
        // A few batches ahead: the disk is read while the visitor works, and memory stays bounded.
        let (send, mut batches) = mpsc::channel(4);
        let (root, repository) = (Arc::clone(&self.root), repository.clone());
        let walking = aside(move || {
            walk::repository(&root, &repository, &send);
            Ok(())
        });
        let visiting = async {
            while let Some(batch) = batches.recv().await {
                batch.into_iter().for_each(&mut *visit);
            }
        };
        futures_util::future::join(walking, visiting).await.0
    }

    async fn repositories(&self) -> Result<Vec<FoundRepository>> {
        let root = Arc::clone(&self.root);
        aside(move || walk::repositories(&root)).await
    }

    async fn is_empty(&self) -> Result<bool> {
        self.has_nothing(layout::REPOSITORIES).await
    }

    async fn lead_nowhere(&self) -> Result<bool> {
        self.has_nothing(layout::BLOBS).await
    }
}

impl Filesystem {
    /// Whether a folder of the layout is empty.
    async fn has_nothing(&self, folder: &'static str) -> Result<bool> {
        let root = Arc::clone(&self.root);
        aside(move || {
            let mut entries = std::fs::read_dir(root.below(folder)).map_err(|e| Error::at(folder, e))?;
            Ok(entries.next().is_none())
        })
        .await
    }
}
