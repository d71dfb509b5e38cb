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
        // The folders may be new, or left by a run that was cut before it had synced them.
        let above = [".", "docker", "docker/registry", "docker/registry/v2", "holdfast"];
        for folder in above.into_iter().chain(self.path.parent().is_some().then_some("..")) {
            files::sync_folder(self.folder(), folder)
                .map_err(|e| (format!("{folder} cannot be synced"), e))?;
        }
        let trial = layout::temporary();
        let written = files::create(self.folder(), &trial).and_then(|file| {
            files::write_all_at(&file, b"trial", 0)?;
            Ok(rustix::fs::fsync(&file)?)
        });
        let removed = rustix::fs::unlinkat(self.folder(), trial.as_str(), AtFlags::empty());
        written.map_err(|e| (format!("no file can be written in {}", layout::STAGING), e))?;
        removed.map_err(|e| (format!("no file can be removed in {}", layout::STAGING), e.into()))
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
