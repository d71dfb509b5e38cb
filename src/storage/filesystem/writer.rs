//! Writes and hashes the bytes of one upload, on a thread that may wait for the disk.

use crate::oci::hasher::Hasher;
use crate::storage::blobs::Staging;
use crate::storage::error::{Error, Result};
use crate::storage::filesystem::companions::{Flusher, HashThread};
use crate::storage::filesystem::files;
use crate::storage::filesystem::hashes::{self, Hashed, Held};
use crate::storage::filesystem::root::Root;
use crate::storage::filesystem::staging;
use crate::storage::layout;
use bytes::Bytes;
use rustix::fd::OwnedFd;
use std::io::{self, IoSlice};
use std::sync::Arc;
use tokio::sync::mpsc;

/// After each so many bytes the disk is made to take them in, while more are written.
const FLUSHED_BYTES: u64 = 8 << 20;
/// A body of more bytes is hashed on a thread of its own: below, the thread costs more than it gains.
const HASHED_HERE_BYTES: u64 = 64 << 20;

/// An upload's file, open at its end.
pub struct Writer {
    root: Arc<Root>,
    path: String,
    file: Arc<OwnedFd>,
    held: Held,
    before: Hashed,
    size: u64,
    hashing: Hashing,
    flusher: Option<Flusher>,
    flushed: u64,
}

enum Hashing {
    Here(Hasher),
    Aside(HashThread),
}

impl Writer {
    /// Opens the upload's file behind `staging.offset`.
    pub fn open(root: Arc<Root>, staging: Staging, mut held: Held) -> Result<Self> {
        let (path, size) = (layout::staged(staging.upload), staging.offset);
        let file = Arc::new(staging::open(&root, &path, size)?);
        let hasher = match hashes::known(&held, size, staging.algorithm) {
            Some(hasher) => hasher,
            None => staging::hash(&file, size, staging.algorithm).map_err(|e| Error::at(&path, e))?,
        };
        *held = None;
        let before = Hashed { bytes: size, hasher: hasher.clone() };
        let hashing = Hashing::Here(hasher);
        Ok(Self { root, path, file, held, before, size, hashing, flusher: None, flushed: size })
    }

    /// Takes one batch; the size of all that is staged.
    pub fn take_one(mut self, pieces: Vec<Bytes>) -> Result<u64> {
        let written = self.write(pieces);
        self.close(written)
    }

    /// Takes batches until no more come; the size of all that is staged.
    pub fn take_all(mut self, mut batches: mpsc::Receiver<Vec<Bytes>>) -> Result<u64> {
        let mut written = Ok(());
        while let Some(pieces) = batches.blocking_recv() {
            written = self.write(pieces);
            if written.is_err() {
                break;
            }
        }
        self.close(written)
    }

    fn write(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        self.root.admit(bytes)?;
        self.write_and_hash(&Arc::new(pieces), bytes).map_err(|e| Error::at(&self.path, e))
    }

    fn write_and_hash(&mut self, pieces: &Arc<Vec<Bytes>>, bytes: u64) -> io::Result<()> {
        match &mut self.hashing {
            Hashing::Aside(thread) => thread.update(pieces),
            Hashing::Here(hasher) if self.size - self.before.bytes >= HASHED_HERE_BYTES => {
                let thread = HashThread::start(hasher.clone())?;
                thread.update(pieces);
                self.hashing = Hashing::Aside(thread);
            }
            Hashing::Here(hasher) => pieces.iter().for_each(|piece| hasher.update(piece)),
        }
        let mut slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        files::write_pieces_at(&self.file, &mut slices, self.size)?;
        self.size += bytes;
        if self.size - self.flushed >= FLUSHED_BYTES {
            self.flushed = self.size;
            let flusher = match self.flusher.take() {
                Some(flusher) => flusher,
                None => Flusher::start(&self.file)?,
            };
            if !self.flusher.insert(flusher).flush() {
                return Err(io::Error::other("the last bytes could not be synced")); // `close` says why
            }
        }
        Ok(())
    }

    /// Leaves what is staged for the next call: all of it, or what was there before if something went wrong.
    fn close(mut self, written: Result<()>) -> Result<u64> {
        if let Some(Err(e)) = self.flusher.take().map(Flusher::end) {
            // Nobody knows which bytes the disk holds, and the next sync would say that all is well.
            files::remove(self.root.folder(), &self.path).map_err(|e| Error::at(&self.path, e))?;
            return Err(Error::at(self.path, e));
        }
        let hashed = match self.hashing {
            Hashing::Here(hasher) => Ok(hasher),
            Hashing::Aside(thread) => thread.end().map_err(|e| Error::at(&self.path, e)),
        };
        match written.and(hashed) {
            Ok(hasher) => {
                *self.held = Some(Hashed { bytes: self.size, hasher });
                Ok(self.size)
            }
            Err(error) => {
                // Gives the room back. If this fails too, the next call cuts off what is too much.
                rustix::fs::ftruncate(&self.file, self.before.bytes).ok();
                *self.held = Some(self.before);
                Err(error)
            }
        }
    }
}
