//! Writes and hashes the bytes of one upload, as tasks that may wait for the disk. None of them runs while the
//! client is silent: many slow clients hold no threads.

use crate::oci::hasher::Hasher;
use crate::storage::blobs::Staging;
use crate::storage::error::{Error, Result};
use crate::storage::filesystem::files;
use crate::storage::filesystem::hashes::{self, Hashed, Held};
use crate::storage::filesystem::root::Root;
use crate::storage::filesystem::staged;
use crate::storage::filesystem::store::{aside, ended};
use crate::storage::layout;
use bytes::Bytes;
use rustix::fd::OwnedFd;
use std::io::{self, IoSlice};
use std::sync::Arc;
use tokio::task::{JoinHandle, spawn_blocking};

/// After each so many bytes the disk is made to take them in, while more are written. A sync of the whole disk,
/// for which small pushes wait, then never has much of a large one to wait for.
///
/// `fdatasync` and not `fadvise(DONTNEED)`, which starts writing too and costs as much: that one neither waits,
/// so that a slow disk falls behind without bound, nor keeps in the page cache what is about to be pulled
/// (measured: up to 40 % was gone).
const FLUSHED_BYTES: u64 = 8 << 20;
/// What follows so many bytes of one body is hashed beside the writing: below, a second task costs more than
/// it gains.
const HASHED_ALONG_BYTES: u64 = 64 << 20;

/// An upload's open file, and the upload's turn: kept by each task that works on it, so that nobody else does,
/// even if the caller has gone.
struct Open {
    root: Arc<Root>,
    path: String,
    file: OwnedFd,
    held: Held,
}

impl Open {
    fn write(&self, pieces: &[Bytes], offset: u64) -> Result<()> {
        self.root.admit(pieces.iter().map(|piece| piece.len() as u64).sum())?;
        let mut slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        files::write_pieces_at(&self.file, &mut slices, offset).map_err(|e| Error::at(&self.path, e))
    }

    fn flush(&self) -> Result<()> {
        rustix::fs::fdatasync(&self.file).map_err(|e| {
            // Nobody knows which bytes the disk holds, and the next sync would say that all is well.
            if let Err(error) = files::remove(self.root.folder(), &self.path) {
                tracing::warn!(%error, path = self.path, "a staged file that may be torn could not be removed");
            }
            Error::at(&self.path, e.into())
        })
    }
}

/// An upload that takes bytes.
pub struct Writer {
    open: Arc<Open>,
    before: Hashed,
    size: u64,
    flushed: u64,
    hasher: Option<Hasher>,
    writing: Option<JoinHandle<Result<Option<Hasher>>>>,
    hashing: Option<JoinHandle<Result<Hasher>>>,
    flushing: Option<JoinHandle<Result<()>>>,
}

impl Writer {
    /// Opens the upload's file behind `staging.offset`. Waits for the disk.
    pub fn open(root: Arc<Root>, staging: Staging, mut held: Held) -> Result<Self> {
        let (path, size) = (layout::staged(staging.upload), staging.offset);
        let file = staged::open(&root, &path, size)?;
        let hasher = match hashes::known(&held, size, staging.algorithm) {
            Some(hasher) => hasher,
            None => staged::hash(&file, size, staging.algorithm).map_err(|e| Error::at(&path, e))?,
        };
        *held = None;
        Ok(Self {
            open: Arc::new(Open { root, path, file, held }),
            before: Hashed { bytes: size, hasher: hasher.clone() },
            size,
            flushed: size,
            hasher: Some(hasher),
            writing: None,
            hashing: None,
            flushing: None,
        })
    }

    /// Takes all of a small body; the size of all that is staged. Waits for the disk.
    pub fn take_all(mut self, pieces: &[Bytes]) -> Result<u64> {
        let taken = self.open.write(pieces, self.size);
        self.size += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        if let Some(hasher) = &mut self.hasher {
            hash(hasher, pieces);
        }
        self.leave(taken)
    }

    /// Takes a batch, as soon as the last one is written: the next can come in meanwhile.
    pub async fn take(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        self.settle().await?;
        if self.size - self.flushed >= FLUSHED_BYTES {
            if let Some(flushing) = self.flushing.take() {
                ended(flushing).await?;
            }
            let open = Arc::clone(&self.open);
            self.flushing = Some(spawn_blocking(move || open.flush()));
            self.flushed = self.size;
        }
        let (open, offset, pieces) = (Arc::clone(&self.open), self.size, Arc::new(pieces));
        self.size += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let mut hasher = self.hasher.take();
        if offset - self.before.bytes >= HASHED_ALONG_BYTES
            && let Some(mut hasher) = hasher.take()
        {
            let pieces = Arc::clone(&pieces);
            self.hashing = Some(spawn_blocking(move || {
                hash(&mut hasher, &pieces);
                Ok(hasher)
            }));
        }
        self.writing = Some(spawn_blocking(move || {
            if let Some(hasher) = &mut hasher {
                hash(hasher, &pieces);
            }
            open.write(&pieces, offset)?;
            Ok(hasher)
        }));
        Ok(())
    }

    /// Waits until all that was taken is written and hashed.
    async fn settle(&mut self) -> Result<()> {
        if let Some(hashing) = self.hashing.take() {
            self.hasher = Some(ended(hashing).await?);
        }
        if let Some(writing) = self.writing.take()
            && let Some(hasher) = ended(writing).await?
        {
            self.hasher = Some(hasher);
        }
        Ok(())
    }

    /// Ends the body, which was taken whole if `taken`; the size of all that is staged.
    pub async fn close(mut self, taken: Result<()>) -> Result<u64> {
        let settled = self.settle().await;
        if let Some(hashing) = self.hashing.take() {
            drop(ended(hashing).await); // only not to leave it behind: something else has failed
        }
        let flushed = match self.flushing.take() {
            Some(flushing) => ended(flushing).await,
            None => Ok(()),
        };
        aside(move || self.leave(taken.and(settled).and(flushed))).await
    }

    /// Leaves what is staged for the next call: all of it, or what was there before if something went wrong.
    fn leave(self, taken: Result<()>) -> Result<u64> {
        let (kept, answer) = match (taken, self.hasher) {
            (Ok(()), Some(hasher)) => (Hashed { bytes: self.size, hasher }, Ok(self.size)),
            (taken, _) => {
                // Gives the room back. If this fails too, the next call cuts off what is too much.
                rustix::fs::ftruncate(&self.open.file, self.before.bytes).ok();
                let lost = || Error::at(&self.open.path, io::Error::other("the hash is lost"));
                (self.before, Err(taken.err().unwrap_or_else(lost)))
            }
        };
        // Nobody else has it any more: all tasks are over.
        if let Some(mut open) = Arc::into_inner(self.open) {
            *open.held = Some(kept);
        }
        answer
    }
}

fn hash(hasher: &mut Hasher, pieces: &[Bytes]) {
    for piece in pieces {
        hasher.update(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::blobs::{Blobs, Sealed};
    use crate::storage::contract::{at, body, bytes, sha256};
    use crate::storage::filesystem::store::Filesystem;
    use rustix::fs::OFlags;

    #[tokio::test]
    async fn what_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let filesystem = Filesystem::new(Root::open(folder.path(), 0).unwrap()).unwrap();
        let (upload, whole) = (crate::oci::upload::UploadId::random(), bytes(1, 900_000));
        filesystem.stage(at(upload, 0), body(&whole.slice(..500_000), 4096, false)).await.unwrap();
        for batches in 1..4 {
            let held = filesystem.hashes.hold(upload).await;
            let mut writer = Writer::open(Arc::clone(&filesystem.root), at(upload, 500_000), held).unwrap();
            let path = layout::staged(upload);
            let unwritable = files::open(filesystem.root.folder(), &path, OFlags::RDONLY).unwrap();
            Arc::get_mut(&mut writer.open).unwrap().file = unwritable;
            let mut taken = Ok(());
            for _ in 0..batches {
                taken = taken.and(writer.take(vec![bytes(2, 100)]).await);
            }
            assert!(matches!(writer.close(taken).await, Err(Error::Fault { .. })));
        }
        let staged = filesystem.stage(at(upload, 500_000), body(&whole.slice(500_000..), 4096, false)).await;
        assert_eq!(staged.unwrap().size, 900_000);
        let sealed = filesystem.seal(at(upload, 900_000), &sha256(&whole)).await.unwrap();
        assert_eq!(sealed, Sealed::Stored { size: 900_000 });
    }
}
