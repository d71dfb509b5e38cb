//! Reading blobs. What stands in the page cache is copied where it is asked for; only what has to come from the
//! disk is fetched aside. Knows nothing of who may read.

use crate::oci::digest::Digest;
use crate::storage::blobs::Blob;
use crate::storage::error::{Error, Result};
use crate::storage::filesystem::files;
use crate::storage::filesystem::pool::{BUFFER_BYTES, Pool};
use crate::storage::filesystem::root::Root;
use crate::storage::filesystem::store::{Filesystem, aside};
use crate::storage::layout;
use crate::stream;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use rustix::fd::OwnedFd;
use rustix::fs::{Advice, OFlags};
use rustix::io::{Errno, ReadWriteFlags};
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::task::JoinHandle;

/// Up to so many bytes are read at once, together with opening the file.
const SMALL: u64 = BUFFER_BYTES as u64;

/// `length` bytes of a blob from `offset` on.
pub async fn read(
    filesystem: &Filesystem,
    digest: &Digest,
    offset: u64,
    length: u64,
) -> Result<Option<Blob>> {
    let (root, pool, digest) = (Arc::clone(&filesystem.root), Arc::clone(&filesystem.pool), *digest);
    aside(move || {
        let path = layout::blob(&digest);
        let Some((file, size)) = open(&root, &path)? else { return Ok(None) };
        let from = offset.min(size);
        let mut rest = Rest { file: Arc::new(file), pool, at: from, end: from + length.min(size - from) };
        let bytes = match rest.end - rest.at {
            0 => stream::empty(),
            1..=SMALL => stream::once(rest.fetch().map_err(|e| Error::at(path, e))?),
            _ => {
                // Only a hint, so a disk that does not take it is no error.
                rustix::fs::fadvise(&rest.file, 0, None, Advice::Sequential).ok();
                Reading { rest, cached: true, fetching: None }.boxed()
            }
        };
        Ok(Some(Blob { size, bytes }))
    })
    .await
}

/// Size of a blob in bytes.
pub async fn stat(filesystem: &Filesystem, digest: &Digest) -> Result<Option<u64>> {
    let (root, digest) = (Arc::clone(&filesystem.root), *digest);
    aside(move || Ok(open(&root, &layout::blob(&digest))?.map(|(_, size)| size))).await
}

fn open(root: &Root, path: &str) -> Result<Option<(OwnedFd, u64)>> {
    match files::open(root.folder(), path, OFlags::RDONLY) {
        Ok(file) => {
            let (size, _) = files::size_and_time(&file).map_err(|e| Error::at(path, e))?;
            Ok(Some((file, size)))
        }
        Err(e) if files::is_absent(&e) => Ok(None),
        Err(e) => Err(Error::at(path, e)),
    }
}

/// What is still to be read of a file.
#[derive(Clone)]
struct Rest {
    file: Arc<OwnedFd>,
    pool: Arc<Pool>,
    at: u64,
    end: u64,
}

impl Rest {
    /// The next bytes if no disk is needed for them.
    fn cached(&mut self) -> io::Result<Bytes> {
        let mut buffer = self.pool.buffer();
        let room = buffer.room(self.end - self.at);
        let read =
            rustix::io::preadv2(&self.file, &mut [IoSliceMut::new(room)], self.at, ReadWriteFlags::NOWAIT)?;
        if read == 0 {
            return Err(ended_early());
        }
        self.at += read as u64;
        Ok(buffer.freeze(read))
    }

    /// The next bytes, from wherever they are.
    fn fetch(&mut self) -> io::Result<Bytes> {
        let mut buffer = self.pool.buffer();
        let room = buffer.room(self.end - self.at);
        let asked = room.len();
        if files::read_at(&self.file, room, self.at)? < asked {
            return Err(ended_early());
        }
        self.at += asked as u64;
        Ok(buffer.freeze(asked))
    }
}

fn ended_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the blob's file ended before its size")
}

struct Reading {
    rest: Rest,
    /// Whether the system can tell what is cached.
    cached: bool,
    fetching: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Stream for Reading {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(fetching) = &mut self.fetching {
                let Poll::Ready(ended) = Pin::new(fetching).poll(context) else { return Poll::Pending };
                self.fetching = None;
                return Poll::Ready(Some(self.give(ended.unwrap_or_else(|e| Err(io::Error::other(e))))));
            }
            if self.rest.at >= self.rest.end {
                return Poll::Ready(None);
            }
            if self.cached {
                match self.rest.cached() {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(e) if is_unknown(&e) => self.cached = false,
                    given => return Poll::Ready(Some(self.end_on_error(given))),
                }
            }
            let mut rest = self.rest.clone();
            self.fetching = Some(tokio::task::spawn_blocking(move || rest.fetch()));
        }
    }
}

impl Reading {
    fn give(&mut self, fetched: io::Result<Bytes>) -> io::Result<Bytes> {
        if let Ok(bytes) = &fetched {
            self.rest.at += bytes.len() as u64;
        }
        self.end_on_error(fetched)
    }

    fn end_on_error(&mut self, given: io::Result<Bytes>) -> io::Result<Bytes> {
        if given.is_err() {
            self.rest.at = self.rest.end;
        }
        given
    }
}

/// Whether a filesystem or kernel says that it does not know `RWF_NOWAIT`.
fn is_unknown(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL))
}
