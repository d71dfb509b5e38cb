//! Uploads on their way: bytes come in pieces, are hashed and written as they come, and are kept when the client
//! breaks off. What they are to become is for `seal.rs`.

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
use std::io;
use std::sync::Arc;

/// Bodies of up to so many bytes are gathered in memory and written in one go.
const SMALL: usize = 256 << 10;
/// Larger ones are written in batches of about so many bytes.
const BATCH: usize = 512 << 10;

/// Takes bytes of an upload.
pub async fn stage(filesystem: &Filesystem, staging: Staging, mut body: ByteStream) -> Result<Staged> {
    filesystem.root.admit(0)?;
    let held = filesystem.hashes.hold(staging.upload).await;
    let root = Arc::clone(&filesystem.root);
    let first = gather(&mut body, SMALL).await;
    let open = move || Writer::open(root, staging, held);
    let cut = match first.end {
        End::More => return stage_large(aside(open).await?, first, body).await,
        End::Finished => None,
        End::Cut(error) => Some(error),
    };
    let size = aside(move || open()?.take_all(&first.pieces)).await?;
    Ok(Staged { size, cut, checkpoint: None })
}

/// Takes a body in batches: while one is written, the next comes in.
async fn stage_large(mut writer: Writer, first: Gathered, mut body: ByteStream) -> Result<Staged> {
    let mut batch = first;
    let (taken, cut) = loop {
        if let Err(error) = writer.take(batch.pieces).await {
            break (Err(error), None);
        }
        match batch.end {
            End::More => batch = gather(&mut body, BATCH).await,
            End::Finished => break (Ok(()), None),
            End::Cut(error) => break (Ok(()), Some(error)),
        }
    };
    Ok(Staged { size: writer.close(taken).await?, cut, checkpoint: None })
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
