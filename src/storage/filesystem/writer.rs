//! Writes and hashes the bytes of one upload, on a thread that may wait for the disk.

use crate::oci::hasher::Hasher;
use crate::storage::blobs::Staging;
use crate::storage::error::{Error, Result};
use crate::storage::filesystem::files;
use crate::storage::filesystem::hashes::{self, Hashed, Held};
use crate::storage::filesystem::root::Root;
use crate::storage::filesystem::staging;
use crate::storage::layout;
use bytes::Bytes;
use rustix::fd::OwnedFd;
use std::io::IoSlice;
use std::sync::Arc;
use tokio::sync::mpsc;

/// An upload's file, open at its end.
pub struct Writer {
    root: Arc<Root>,
    path: String,
    file: Arc<OwnedFd>,
    held: Held,
    before: Hashed,
    size: u64,
    hasher: Hasher,
}

impl Writer {
    /// Opens the upload's file behind `staging.offset`.
    pub fn open(root: Arc<Root>, staging: Staging, mut held: Held) -> Result<Self> {
        let path = layout::staged(staging.upload);
        let file = staging::open(&root, &path, staging.offset)?;
        let hasher = match hashes::known(&held, staging.offset, staging.algorithm) {
            Some(hasher) => hasher,
            None => {
                staging::hash(&file, staging.offset, staging.algorithm).map_err(|e| Error::at(&path, e))?
            }
        };
        *held = None;
        let before = Hashed { bytes: staging.offset, hasher: hasher.clone() };
        Ok(Self { root, path, file: Arc::new(file), held, before, size: staging.offset, hasher })
    }

    /// Takes one batch; the size of all that is staged.
    pub fn take_one(mut self, pieces: &[Bytes]) -> Result<u64> {
        let written = self.write(pieces);
        self.close(written)
    }

    /// Takes batches until no more come; the size of all that is staged.
    pub fn take_all(mut self, mut batches: mpsc::Receiver<Vec<Bytes>>) -> Result<u64> {
        let mut written = Ok(());
        while let Some(pieces) = batches.blocking_recv() {
            written = self.write(&pieces);
            if written.is_err() {
                break;
            }
        }
        self.close(written)
    }

    fn write(&mut self, pieces: &[Bytes]) -> Result<()> {
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        self.root.admit(bytes)?;
        for piece in pieces {
            self.hasher.update(piece);
        }
        let mut slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        files::write_pieces_at(&self.file, &mut slices, self.size).map_err(|e| Error::at(&self.path, e))?;
        self.size += bytes;
        Ok(())
    }

    /// Leaves what is staged for the next call: all of it, or what was there before if something went wrong.
    fn close(mut self, written: Result<()>) -> Result<u64> {
        if let Err(error) = written {
            // Gives the room back. If this fails too, the next call cuts off what is too much.
            rustix::fs::ftruncate(&self.file, self.before.bytes).ok();
            *self.held = Some(self.before);
            return Err(error);
        }
        *self.held = Some(Hashed { bytes: self.size, hasher: self.hasher });
        Ok(self.size)
    }
}
