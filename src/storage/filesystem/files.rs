//! Small steps on files below the root, each as one or two system calls, and the list of what they touched
//! that is not durable yet. Knows nothing of blobs and links.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::io::{self, IoSlice};

/// Files and folders that were changed and not yet synced. Filled only where each must be synced by itself
/// (`sync.rs`): otherwise remembering them would cost more than it is worth.
#[derive(Default)]
pub struct Touched {
    /// Whether anybody reads what is noted here.
    pub wanted: bool,
    /// Files with new bytes.
    pub files: Vec<OwnedFd>,
    /// Folders with new or removed entries.
    pub folders: BTreeSet<String>,
}

impl Touched {
    /// The entry at `path` is new, gone or another one.
    pub fn entry(&mut self, path: &str) {
        if self.wanted {
            self.folders.insert(parent(path).to_owned());
        }
    }

    /// The file has new bytes.
    pub fn file(&mut self, file: OwnedFd) {
        if self.wanted {
            self.files.push(file);
        }
    }

    /// Whether there is nothing to sync.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.folders.is_empty()
    }
}

/// The folder that holds an entry; `.` at the top.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(above, _)| above)
}

/// Makes a folder, and those above it that are missing.
pub fn create_folders(root: BorrowedFd<'_>, path: &str, touched: &mut Touched) -> io::Result<()> {
    create_folders_as(0o755, root, path, touched)
}

/// The same, for folders into which only their owner may look.
pub fn create_private_folders(root: BorrowedFd<'_>, path: &str, touched: &mut Touched) -> io::Result<()> {
    create_folders_as(0o700, root, path, touched)
}

fn create_folders_as(mode: u32, root: BorrowedFd<'_>, path: &str, touched: &mut Touched) -> io::Result<()> {
    // The last one is nearly always the only one missing, so try from the end.
    let mut missing = vec![path];
    while let Some(&folder) = missing.last() {
        match rustix::fs::mkdirat(root, folder, Mode::from_raw_mode(mode)) {
            Ok(()) => {
                touched.entry(folder);
                missing.pop();
            }
            Err(Errno::EXIST) if is_folder(root, folder)? => {
                missing.pop();
            }
            Err(Errno::NOENT) if folder.contains('/') => missing.push(parent(folder)),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

fn is_folder(root: BorrowedFd<'_>, path: &str) -> io::Result<bool> {
    let told = rustix::fs::statat(root, path, AtFlags::empty())?;
    Ok(rustix::fs::FileType::from_raw_mode(told.st_mode).is_dir())
}

/// Makes a folder private that others may look into. One that is private already is left alone.
pub fn make_private(root: BorrowedFd<'_>, path: &str) -> io::Result<()> {
    let told = rustix::fs::statat(root, path, AtFlags::empty())?;
    if told.st_mode & 0o077 != 0 {
        rustix::fs::chmodat(root, path, Mode::from_raw_mode(0o700), AtFlags::empty())?;
    }
    Ok(())
}

/// Makes a new file; one that is there already is an error.
pub fn create(root: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    open_as(0o644, root, path, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY)
}

/// The same, for a file that only its owner may read.
pub fn create_private(root: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    open_as(0o600, root, path, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY)
}

/// Opens a file with these flags.
pub fn open(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    open_as(0o644, root, path, flags)
}

fn open_as(mode: u32, root: BorrowedFd<'_>, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    // Not to hang on a pipe, and not to become its terminal, should somebody have put one there.
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(rustix::fs::openat(root, path, flags, Mode::from_raw_mode(mode))?)
}

/// Size in bytes of an open file, which must be a plain one, and when it was last written.
pub fn size_and_time(file: impl AsFd) -> io::Result<(u64, u64)> {
    let told = rustix::fs::fstat(file)?;
    if !rustix::fs::FileType::from_raw_mode(told.st_mode).is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    Ok((u64::try_from(told.st_size).unwrap_or(0), u64::try_from(told.st_mtime).unwrap_or(0)))
}

/// Writes all bytes from an offset on.
pub fn write_all_at(file: impl AsFd, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = retry(|| rustix::io::pwrite(&file, bytes, offset))?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        offset += written as u64;
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Writes all pieces from an offset on; they are used up. At most `PIECES_MAX` of them.
pub fn write_pieces_at(file: impl AsFd, mut pieces: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    IoSlice::advance_slices(&mut pieces, 0);
    while !pieces.is_empty() {
        let written = retry(|| rustix::io::pwritev(&file, pieces, offset))?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        offset += written as u64;
        IoSlice::advance_slices(&mut pieces, written);
    }
    Ok(())
}

/// So many pieces the operating system takes in one call (`IOV_MAX`).
pub const PIECES_MAX: usize = 1024;

/// Reads until the buffer is full or the file ends; how many bytes there were.
pub fn read_at(file: impl AsFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match retry(|| rustix::io::pread(&file, &mut *rest, offset + filled as u64))? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// The text of a small file, at most 512 bytes of it; and when it was last written.
pub fn read_small(root: BorrowedFd<'_>, path: &str) -> io::Result<(Vec<u8>, u64)> {
    let file = open(root, path, OFlags::RDONLY)?;
    let (_, modified) = size_and_time(&file)?;
    let mut buffer = [0; 512];
    let read = read_at(&file, &mut buffer, 0)?;
    Ok((buffer.get(..read).unwrap_or_default().to_vec(), modified))
}

/// Renames a file to its place, whose folder may be missing; what stood there is replaced.
pub fn rename(root: BorrowedFd<'_>, from: &str, to: &str, touched: &mut Touched) -> io::Result<()> {
    create_folders(root, parent(to), touched)?;
    rustix::fs::renameat(root, from, root, to)?;
    touched.entry(from);
    touched.entry(to);
    Ok(())
}

/// Removes a file, if it is there.
pub fn remove(root: BorrowedFd<'_>, path: &str) -> io::Result<()> {
    match rustix::fs::unlinkat(root, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Makes the entries of a folder durable; one that is gone has none.
pub fn sync_folder(root: BorrowedFd<'_>, path: &str) -> io::Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    match rustix::fs::openat(root, path, flags, Mode::empty()) {
        Ok(folder) => Ok(rustix::fs::fsync(folder)?),
        Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Whether an error says that nothing is there.
pub fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return Ok(done?),
        }
    }
}
