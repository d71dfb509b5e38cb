//! Staged bytes find their place under their digest: verified, durable, then renamed.

use crate::oci::digest::{Algorithm, Digest};
use crate::oci::hasher::Hasher;
use crate::storage::blobs::{Sealed, Staging};
use crate::storage::error::{Error, Result};
use crate::storage::filesystem::files;
use crate::storage::filesystem::hashes::{self, Hashed, Held};
use crate::storage::filesystem::publisher::{Bench, Step};
use crate::storage::filesystem::root::Root;
use crate::storage::filesystem::staged;
use crate::storage::filesystem::store::{Filesystem, aside};
use crate::storage::layout;
use bytes::Bytes;
use rustix::fd::OwnedFd;
use rustix::fs::OFlags;
use std::sync::Arc;

/// Above so many bytes a file is synced by itself, so that it does not hold up the group of small ones.
const LARGE: u64 = 4 << 20;
/// A manifest of up to so many bytes is compared with what stands there already.
const COMPARED: usize = 64 << 10;

/// Puts what was staged under `digest`, if it is that.
pub async fn seal(filesystem: &Filesystem, staging: Staging, digest: &Digest) -> Result<Sealed> {
    let held = filesystem.hashes.hold(staging.upload).await;
    let (held, actual, durable) = match staged_here(&held, staging.offset, digest.algorithm()) {
        Some(hasher) => (held, hasher.finish(), false),
        None => verify_aside(filesystem, staging, digest.algorithm(), held).await?,
    };
    if actual != *digest {
        return Ok(Sealed::Mismatch { actual });
    }
    let mut move_in = MoveIn {
        root: Arc::clone(&filesystem.root),
        from: layout::staged(staging.upload),
        to: layout::blob(digest),
        durable,
        begun: false,
        _held: held,
    };
    let replaced = if durable { open_aside(filesystem, digest).await? } else { None };
    let moved = filesystem.publisher.publish(Box::new(move |bench| move_in.step(bench))).await;
    if replaced.is_some() {
        drop(tokio::task::spawn_blocking(move || drop(replaced)));
    }
    filesystem.hashes.forget(staging.upload);
    moved.map(|()| Sealed::Stored { size: staging.offset })
}

/// The hash of bytes that this process has just staged whole, if they are few: nothing else is to be looked at.
fn staged_here(held: &Held, bytes: u64, algorithm: Algorithm) -> Option<Hasher> {
    if bytes == 0 || bytes > LARGE { None } else { hashes::known(held, bytes, algorithm) }
}

async fn verify_aside(
    filesystem: &Filesystem,
    staging: Staging,
    algorithm: Algorithm,
    held: Held,
) -> Result<(Held, Digest, bool)> {
    let root = Arc::clone(&filesystem.root);
    aside(move || verify(&root, staging, algorithm, held)).await
}

/// What stands at the place of a large blob already, held open. A file goes when its last name and its last
/// opener have gone, and the room of a large one takes long to give back: not on the publisher's thread.
async fn open_aside(filesystem: &Filesystem, digest: &Digest) -> Result<Option<OwnedFd>> {
    let (root, path) = (Arc::clone(&filesystem.root), layout::blob(digest));
    aside(move || Ok(files::open(root.folder(), &path, OFlags::RDONLY).ok())).await
}

/// Opens what is staged, hashes it if its hash is not known, and makes it durable if it is large.
fn verify(
    root: &Root,
    staging: Staging,
    algorithm: Algorithm,
    mut held: Held,
) -> Result<(Held, Digest, bool)> {
    let path = layout::staged(staging.upload);
    let file = staged::open(root, &path, staging.offset)?;
    let hasher = match hashes::known(&held, staging.offset, algorithm) {
        Some(hasher) => hasher,
        None => staged::hash(&file, staging.offset, algorithm).map_err(|e| Error::at(&path, e))?,
    };
    if hasher.algorithm() == staging.algorithm {
        *held = Some(Hashed { bytes: staging.offset, hasher: hasher.clone() });
    }
    let large = staging.offset > LARGE;
    if large && let Err(e) = rustix::fs::fdatasync(&file) {
        // As after any failed sync: the next one would say that all is well.
        files::remove(root.folder(), &path).map_err(|e| Error::at(&path, e))?;
        return Err(Error::at(path, e.into()));
    }
    Ok((held, hasher.finish(), large))
}

/// Renames a staged file to its digest's place once its bytes are durable. It holds the upload's turn, so that
/// nobody writes to it meanwhile, even if the caller has gone.
///
/// What stands there already is replaced: it may have been torn by another program, and then a push heals it.
struct MoveIn {
    root: Arc<Root>,
    from: String,
    to: String,
    durable: bool,
    begun: bool,
    _held: Held,
}

impl MoveIn {
    fn step(&mut self, bench: &mut Bench) -> Result<Step> {
        self.begun = true;
        if !self.durable {
            self.durable = true;
            if bench.touched.wanted || bench.doubtful {
                let file = files::open(bench.root.folder(), &self.from, OFlags::WRONLY);
                let file = file.map_err(|e| lost(&self.from, e))?;
                if bench.doubtful {
                    // The sync that failed was told to its own group. Whether it was this file that it failed on,
                    // only the file itself still tells.
                    rustix::fs::fdatasync(&file).map_err(|e| Error::at(&self.from, e.into()))?;
                }
                bench.touched.file(file);
            }
            return Ok(Step::Sync);
        }
        let renamed = files::rename(bench.root.folder(), &self.from, &self.to, &mut bench.touched);
        renamed.map_err(|e| lost(&self.to, e))?;
        self.begun = false;
        Ok(Step::Done)
    }
}

impl Drop for MoveIn {
    /// After a failed sync nobody knows what the disk holds of the file, and the next sync would say that all
    /// is well: no later try may build on it.
    fn drop(&mut self) {
        if self.begun
            && let Err(error) = files::remove(self.root.folder(), &self.from)
        {
            tracing::warn!(%error, path = self.from, "a staged file that may be torn could not be removed");
        }
    }
}

fn lost(path: &str, error: std::io::Error) -> Error {
    if files::is_absent(&error) { Error::StagedLost } else { Error::at(path, error) }
}

/// Puts bytes in memory under their digest.
pub async fn put(filesystem: &Filesystem, digest: &Digest, bytes: Bytes) -> Result<()> {
    filesystem.root.admit(bytes.len() as u64)?;
    let (aside, path) = (layout::temporary(), layout::blob(digest));
    let mut begun = false;
    let job = move |bench: &mut Bench| {
        if begun {
            let renamed = files::rename(bench.root.folder(), &aside, &path, &mut bench.touched);
            return renamed.map_err(|e| Error::at(&path, e)).map(|()| Step::Done);
        }
        begun = true;
        if is_there(bench, &path, &bytes) {
            return Ok(Step::Done);
        }
        match files::create(bench.root.folder(), &aside).and_then(|file| write(file, &bytes)) {
            Ok(file) => bench.touched.file(file),
            Err(e) => {
                // The error that matters is the first; what stays is swept like an upload nobody ends.
                drop(files::remove(bench.root.folder(), &aside));
                return Err(Error::at(&aside, e));
            }
        }
        Ok(Step::Sync)
    };
    filesystem.publisher.publish(Box::new(job)).await
}

fn write(file: OwnedFd, bytes: &[u8]) -> std::io::Result<OwnedFd> {
    files::write_all_at(&file, bytes, 0)?;
    Ok(file)
}

/// Whether the same bytes stand there already. They were durable before they stood there.
fn is_there(bench: &Bench, path: &str, bytes: &[u8]) -> bool {
    if bench.doubtful || bytes.len() > COMPARED {
        return false;
    }
    let Ok(file) = files::open(bench.root.folder(), path, OFlags::RDONLY) else { return false };
    let mut there = vec![0; bytes.len() + 1];
    files::read_at(file, &mut there, 0).is_ok_and(|read| there.get(..read) == Some(bytes))
}
