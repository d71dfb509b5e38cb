//! Uploads on their way: bytes come in pieces, are hashed and written as they come, and are kept when the client
//! breaks off. What they are to become is for `seal.rs`.

use crate::oci::digest::Algorithm;
use crate::oci::hasher::Hasher;
use crate::oci::upload::UploadId;
use crate::storage::blobs::{Staged, Staging};
use crate::storage::error::{Error, Result};
use crate::storage::filesystem::files;
use crate::storage::filesystem::root::Root;
use crate::storage::filesystem::store::{Filesystem, aside};
use crate::storage::filesystem::writer::Writer;
use crate::storage::layout;
use crate::stream::ByteStream;
use bytes::Bytes;
use futures_util::StreamExt;
use rustix::fd::OwnedFd;
use rustix::fs::OFlags;
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Bodies of up to so many bytes are gathered in memory and written in one go.
const SMALL: usize = 256 << 10;
/// Larger ones are written in batches of about so many bytes.
const BATCH: usize = 512 << 10;
/// So many batches may wait for the disk before the client has to.
const BATCHES_MAX: usize = 3;

/// Takes bytes of an upload.
pub async fn stage(filesystem: &Filesystem, staging: Staging, mut body: ByteStream) -> Result<Staged> {
    filesystem.root.admit(0)?;
    let held = filesystem.hashes.hold(staging.upload).await;
    let root = Arc::clone(&filesystem.root);
    let first = gather(&mut body, SMALL).await;
    let cut = match first.end {
        End::More => {
            let (send, batches) = mpsc::channel(BATCHES_MAX);
            let writing = aside(move || Writer::open(root, staging, held)?.take_all(batches));
            let sending = send_all(first, body, send);
            let (size, cut) = futures_util::future::join(writing, sending).await;
            return Ok(Staged { size: size?, cut });
        }
        End::Finished => None,
        End::Cut(error) => Some(error),
    };
    let pieces = first.pieces;
    let size = aside(move || Writer::open(root, staging, held)?.take_one(pieces)).await?;
    Ok(Staged { size, cut })
}

/// Pieces of a body in order.
struct Gathered {
    pieces: Vec<Bytes>,
    end: End,
}

/// What follows the pieces.
enum End {
    More,
    Finished,
    Cut(io::Error),
}

async fn gather(body: &mut ByteStream, bytes_max: usize) -> Gathered {
    let (mut pieces, mut bytes) = (Vec::new(), 0);
    let end = loop {
        // The number counts too: a stranger may send single bytes.
        if bytes > bytes_max || pieces.len() == files::PIECES_MAX {
            break End::More;
        }
        match body.next().await {
            None => break End::Finished,
            Some(Err(error)) => break End::Cut(error),
            Some(Ok(piece)) if piece.is_empty() => {}
            Some(Ok(piece)) => {
                bytes += piece.len();
                pieces.push(piece);
            }
        }
    };
    Gathered { pieces, end }
}

/// Sends a body on in batches; why it ended early, if the client is to blame. Dropping this keeps what was sent.
async fn send_all(
    first: Gathered,
    mut body: ByteStream,
    send: mpsc::Sender<Vec<Bytes>>,
) -> Option<io::Error> {
    let mut batch = first;
    loop {
        if send.send(batch.pieces).await.is_err() {
            return None; // the writer has given up, and says why
        }
        match batch.end {
            End::More => batch = gather(&mut body, BATCH).await,
            End::Finished => return None,
            End::Cut(error) => return Some(error),
        }
    }
}

/// Opens an upload's file with just its first `bytes` bytes.
pub fn open(root: &Root, path: &str, bytes: u64) -> Result<OwnedFd> {
    let at = |e: io::Error| Error::at(path, e);
    let flags = if bytes == 0 { OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC } else { OFlags::RDWR };
    let file = match files::open(root.folder(), path, flags) {
        Err(e) if files::is_absent(&e) && bytes > 0 => return Err(Error::StagedLost),
        opened => opened.map_err(at)?,
    };
    if bytes > 0 {
        let (size, _) = files::size_and_time(&file).map_err(at)?;
        if size < bytes {
            return Err(Error::StagedLost);
        }
        if size > bytes {
            rustix::fs::ftruncate(&file, bytes).map_err(|e| at(e.into()))?;
        }
    }
    Ok(file)
}

/// The hash of the first `bytes` bytes of a file.
pub fn hash(file: &OwnedFd, bytes: u64, algorithm: Algorithm) -> io::Result<Hasher> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; SMALL];
    let mut at = 0;
    while at < bytes {
        let want = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(buffer.len());
        let room = buffer.get_mut(..want).unwrap_or_default();
        if files::read_at(file, room, at)? < want {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(room);
        at += want as u64;
    }
    Ok(hasher)
}

/// Drops what was staged of an upload.
pub async fn discard(filesystem: &Filesystem, upload: UploadId) -> Result<()> {
    let mut held = filesystem.hashes.hold(upload).await;
    let root = Arc::clone(&filesystem.root);
    let path = layout::staged(upload);
    let held = aside(move || {
        *held = None;
        files::remove(root.folder(), &path).map_err(|e| Error::at(path, e)).map(|()| held)
    })
    .await?;
    filesystem.hashes.forget(upload);
    drop(held);
    Ok(())
}

/// Uploads that were last written before `unix_secs`. Sweeps up what broken-off writes of that age left.
pub async fn before(filesystem: &Filesystem, unix_secs: u64) -> Result<Vec<UploadId>> {
    let root = Arc::clone(&filesystem.root);
    aside(move || {
        let at = |e| Error::at(layout::STAGING, e);
        let mut uploads = Vec::new();
        for entry in std::fs::read_dir(root.below(layout::STAGING)).map_err(at)? {
            let name = entry.map_err(at)?.file_name();
            let Some(name) = name.to_str() else { continue };
            let path = format!("{}/{name}", layout::STAGING);
            let Ok(modified) = modified(&root, &path) else { continue }; // gone meanwhile, or nothing of ours
            if modified >= unix_secs {
                continue;
            }
            if let Ok(upload) = name.parse() {
                uploads.push(upload);
            } else if name.starts_with(layout::TEMPORARY) {
                files::remove(root.folder(), &path).map_err(|e| Error::at(path, e))?;
            }
        }
        Ok(uploads)
    })
    .await
}

fn modified(root: &Root, path: &str) -> io::Result<u64> {
    let told = rustix::fs::statat(root.folder(), path, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(u64::try_from(told.st_mtime).unwrap_or(0))
}
