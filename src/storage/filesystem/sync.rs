//! How a group of changes becomes durable: one sync of the whole filesystem, or one of each file and folder.
//! Knows nothing of what the changes are.

use crate::storage::filesystem::files::{self, Touched};
use rustix::fd::BorrowedFd;
use std::io;

/// A way to make changes durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `syncfs`: one call whatever the group holds. It also waits for what others wrote to the same disk, and
    /// is still the better way even for a group of one: five files and folders change with each small blob, and
    /// a sync of each by itself waits for the disk as often. (Measured on ext4 with blobs of 64 KiB: one client
    /// pushes 1.3 to 1.6 times as many a second, eight clients 2.6 times and more, with half the CPU for each.)
    Whole,
    /// `fdatasync` of each file and `fsync` of each folder.
    Each,
    /// A disk that fails.
    #[cfg(test)]
    Fails,
}

impl Way {
    /// The way for the filesystem that holds `root`. On those named here `syncfs` is known to write
    /// everything back, wait, and flush the disk's cache, and to report write errors. Of others (network
    /// filesystems, FUSE) that is not known: there, each by itself.
    pub fn of(root: BorrowedFd<'_>) -> Self {
        const EXT: i64 = 0xEF53;
        const XFS: i64 = 0x5846_5342;
        const BTRFS: i64 = 0x9123_683E;
        const F2FS: i64 = 0xF2F5_2010;
        const TMPFS: i64 = 0x0102_1994;
        match rustix::fs::fstatfs(root).map(|told| told.f_type) {
            Ok(EXT | XFS | BTRFS | F2FS | TMPFS) => Self::Whole,
            _ => Self::Each,
        }
    }

    /// Makes all that was touched durable.
    pub fn sync(self, root: BorrowedFd<'_>, touched: &mut Touched) -> io::Result<()> {
        match self {
            Self::Whole => Ok(rustix::fs::syncfs(root)?),
            Self::Each => {
                for file in touched.files.drain(..) {
                    rustix::fs::fdatasync(file)?;
                }
                // Forgotten only once it is durable: another job may count on it.
                while let Some(folder) = touched.folders.last() {
                    files::sync_folder(root, folder)?;
                    touched.folders.pop_last();
                }
                Ok(())
            }
            #[cfg(test)]
            Self::Fails => Err(io::Error::other("the disk fails")),
        }
    }
}
