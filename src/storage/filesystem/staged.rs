//! The file of an upload's staged bytes. Knows nothing of bodies and digests.

use crate::oci::digest::Algorithm;
use crate::oci::hasher::Hasher;
use crate::storage::error::{Error, Result};
use crate::storage::filesystem::files;
use crate::storage::filesystem::root::Root;
use rustix::fd::OwnedFd;
use rustix::fs::OFlags;
use std::io;

/// So many bytes are read and hashed at once.
const READ_BYTES: usize = 256 << 10;

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
    let mut buffer = vec![0; READ_BYTES];
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
