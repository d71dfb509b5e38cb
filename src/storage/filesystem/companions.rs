//! Threads beside the writer of a large upload: one has the disk take in what is written, one hashes. Both live
//! as long as the upload's body and know nothing else of it.

use crate::oci::hasher::Hasher;
use bytes::Bytes;
use rustix::fd::OwnedFd;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Syncs a file again and again while it is written, so that few bytes of it are only in memory: a sync of the
/// whole disk, on which small pushes wait, then never has to wait for a large one.
///
/// `fdatasync` and not `fadvise(DONTNEED)`, which starts writing too and costs as much: that one neither waits,
/// so that a slow disk falls behind without bound, nor keeps what is about to be pulled in the page cache
/// (measured: up to 40 % of it was gone).
pub struct Flusher {
    flush: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Flusher {
    /// Starts the thread.
    pub fn start(file: &Arc<OwnedFd>) -> io::Result<Self> {
        let file = Arc::clone(file);
        // Handed over without a place to wait: who writes has at most one interval that is not being synced.
        let (flush, asked) = sync_channel(0);
        let work = move || {
            while asked.recv().is_ok() {
                rustix::fs::fdatasync(&file)?;
            }
            Ok(())
        };
        let thread = std::thread::Builder::new().name("flusher".into()).spawn(work)?;
        Ok(Self { flush, thread })
    }

    /// Has everything synced that was written up to now, once the last sync is over. False if that one failed.
    pub fn flush(&self) -> bool {
        self.flush.send(()).is_ok()
    }

    /// Ends the thread: whether all went well.
    pub fn end(self) -> io::Result<()> {
        drop(self.flush);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the flusher's thread is gone")))
    }
}

/// Hashes on a core of its own.
pub struct HashThread {
    pieces: SyncSender<Arc<Vec<Bytes>>>,
    thread: JoinHandle<Hasher>,
}

impl HashThread {
    /// Starts the thread behind what `hasher` has seen.
    pub fn start(mut hasher: Hasher) -> io::Result<Self> {
        let (pieces, batches) = sync_channel::<Arc<Vec<Bytes>>>(2);
        let work = move || {
            while let Ok(batch) = batches.recv() {
                batch.iter().for_each(|piece| hasher.update(piece));
            }
            hasher
        };
        let thread = std::thread::Builder::new().name("hasher".into()).spawn(work)?;
        Ok(Self { pieces, thread })
    }

    /// Hashes more pieces.
    pub fn update(&self, pieces: &Arc<Vec<Bytes>>) {
        // If the thread is gone, `end` says so.
        drop(self.pieces.send(Arc::clone(pieces)));
    }

    /// Ends the thread: the state after all pieces.
    pub fn end(self) -> io::Result<Hasher> {
        drop(self.pieces);
        self.thread.join().map_err(|_| io::Error::other("the hasher's thread is gone"))
    }
}
