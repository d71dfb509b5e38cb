//! The files of records: how they are read, and written beside. What stands in them is for `record_text.rs`. Knows
//! nothing of who may change what.

use crate::record::{Record, Shelf};
use crate::storage::filesystem::files;
use crate::storage::filesystem::publisher::Bench;
use crate::storage::filesystem::root::Root;
use crate::storage::layout;
use crate::storage::record_text::{self, FILE_BYTES_MAX};
use bytes::Bytes;
use rustix::fd::BorrowedFd;
use rustix::fs::OFlags;
use std::io;
use std::sync::Arc;

/// The record in a file. `None`: there is no file, or one from a bucket whose record was removed there.
pub fn read(root: BorrowedFd<'_>, path: &str) -> io::Result<Option<Record>> {
    match read_file(root, path, FILE_BYTES_MAX)? {
        Some(text) if record_text::is_removal(&text) => Ok(None),
        Some(text) => {
            record_text::parse(&text).map(Some).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))
        }
        None => Ok(None),
    }
}

/// The highest version of all records that were removed from a shelf.
pub fn removed(root: BorrowedFd<'_>, shelf: Shelf) -> io::Result<u64> {
    let Some(text) = read_file(root, &layout::removed(shelf), 64)? else { return Ok(0) };
    record_text::parse_removed(&text).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))
}

/// A small file, whole. `None`: there is none.
fn read_file(root: BorrowedFd<'_>, path: &str, bytes_max: usize) -> io::Result<Option<Bytes>> {
    let file = match files::open(root, path, OFlags::RDONLY | OFlags::NOFOLLOW) {
        Ok(file) => file,
        Err(e) if files::is_absent(&e) => return Ok(None),
        Err(e) => return Err(e),
    };
    let (size, _) = files::size_and_time(&file)?;
    if size > bytes_max as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large"));
    }
    let mut text = vec![0; size as usize];
    let read = files::read_at(&file, &mut text, 0)?;
    text.truncate(read);
    Ok(Some(text.into()))
}

/// A private file that is on its way to its place. Dropped before it is there, it goes away.
pub struct Aside {
    root: Arc<Root>,
    path: Option<String>,
}

impl Aside {
    /// Writes a file beside. It may be moved when it is durable.
    pub fn write(bench: &mut Bench, text: &[u8]) -> io::Result<Self> {
        let path = layout::temporary();
        let file = files::create_private(bench.root.folder(), &path)?;
        let aside = Self { root: Arc::clone(&bench.root), path: Some(path) };
        files::write_all_at(&file, text, 0)?;
        bench.touched.file(file);
        Ok(aside)
    }

    /// Moves it to its place in a private folder, where it replaces what stands there.
    pub fn move_to(mut self, bench: &mut Bench, folder: &str, path: &str) -> io::Result<()> {
        files::create_private_folders(self.root.folder(), folder, &mut bench.touched)?;
        if let Some(aside) = &self.path {
            files::rename(self.root.folder(), aside, path, &mut bench.touched)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(error) = files::remove(self.root.folder(), path)
        {
            tracing::warn!(%error, path, "a file that was not needed could not be removed; it is swept later");
        }
    }
}
