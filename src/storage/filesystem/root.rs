//! The folder under which everything stands, opened once. All paths elsewhere are relative to it, so that none
//! can leave it, and short. Knows where the layout's top folders are, nothing of what is in them.

use crate::storage::error::{Error, Result};
use crate::storage::filesystem::files::{self, Touched};
use crate::storage::filesystem::space::Space;
use crate::storage::layout;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};
use std::io;
use std::path::{Path, PathBuf};

/// An open storage folder that can be written.
pub struct Root {
    path: PathBuf,
    folder: OwnedFd,
    space: Space,
}

impl Root {
    /// Opens the folder, makes what is missing in it, and tries whether it can be written.
    pub fn open(path: &Path, free_bytes_min: u64) -> Result<Self> {
        let refuse = |what: &str, e: io::Error| {
            let told = format!("the storage folder cannot be used: {what}: {e}");
            Error::at(path.display().to_string(), io::Error::new(e.kind(), told))
        };
        std::fs::create_dir_all(path).map_err(|e| refuse("it is no folder and cannot be made one", e))?;
        let folder =
            rustix::fs::open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|e| refuse("it cannot be opened", e.into()))?;
        let root = Self { path: path.to_owned(), folder, space: Space::new(free_bytes_min) };
        root.prepare().map_err(|(what, e)| refuse(&what, e))?;
        Ok(root)
    }

    fn prepare(&self) -> std::result::Result<(), (String, io::Error)> {
        let mut touched = Touched::default();
        for folder in [layout::BLOBS, layout::REPOSITORIES, layout::STAGING] {
            files::create_folders(self.folder(), folder, &mut touched)
                .map_err(|e| (format!("the folder {folder} cannot be made"), e))?;
        }
        files::create_private_folders(self.folder(), layout::RECORDS, &mut touched)
            .map_err(|e| (format!("the folder {} cannot be made", layout::RECORDS), e))?;
        // Not every filesystem has modes, and on such a one whoever mounted it has decided who may read.
        if let Err(error) = files::make_private(self.folder(), layout::RECORDS) {
            tracing::warn!(%error, folder = %self.below(layout::RECORDS).display(),
                "others on this machine may look into this folder, which holds hashes of passwords");
        }
        self.one_filesystem()?;
        // The folders may be new, or left by a run that was cut before it had synced them.
        for folder in [".", "docker", "docker/registry", "docker/registry/v2", "holdfast"] {
            files::sync_folder(self.folder(), folder)
                .map_err(|e| (format!("{folder} cannot be synced"), e))?;
        }
        // The folder above need not be ours to open; then it was there before.
        files::sync_folder(self.folder(), "..").ok();
        let trial = layout::temporary();
        let written = files::create(self.folder(), &trial).and_then(|file| {
            files::write_all_at(&file, b"trial", 0)?;
            Ok(rustix::fs::fsync(&file)?)
        });
        let removed = rustix::fs::unlinkat(self.folder(), trial.as_str(), AtFlags::empty());
        written.map_err(|e| (format!("no file can be written in {}", layout::STAGING), e))?;
        removed.map_err(|e| (format!("no file can be removed in {}", layout::STAGING), e.into()))
    }

    /// Files are renamed from one folder to another, and one sync has to cover all.
    fn one_filesystem(&self) -> std::result::Result<(), (String, io::Error)> {
        let device = |folder: &str| {
            let told = rustix::fs::statat(self.folder(), folder, AtFlags::empty());
            told.map(|told| told.st_dev).map_err(|e| (format!("{folder} cannot be looked at"), e.into()))
        };
        let own = device(".")?;
        for folder in [layout::BLOBS, layout::REPOSITORIES, layout::STAGING, layout::RECORDS] {
            if device(folder)? != own {
                let told = "link or mount the storage folder as a whole, not a part of it";
                return Err((format!("{folder} is on another filesystem"), io::Error::other(told)));
            }
        }
        Ok(())
    }

    /// The folder, as the base of relative paths.
    pub fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// The path of something below, for calls that take no base.
    pub fn below(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    /// Lets `bytes` more in, or says `Full`.
    pub fn admit(&self, bytes: u64) -> Result<()> {
        self.space.admit(self.folder(), bytes)
    }
}
