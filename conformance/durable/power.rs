//! A disk whose power can be cut: an ext4 of its own on a file. The file holds what the file system has written to
//! its disk, and nothing of what still waits in memory, so a copy of it is what a power cut leaves. It needs root;
//! elsewhere the tests say that they were skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

const DISK_BYTES: u64 = 768 << 20;

/// A mounted disk.
pub struct Disk {
    around: tempfile::TempDir,
    cuts: usize,
}

impl Disk {
    /// Makes and mounts a disk, or says why that cannot be done here.
    pub fn mounted() -> Result<Self, String> {
        let around =
            tempfile::Builder::new().prefix("holdfast-disk-").tempdir().map_err(|e| e.to_string())?;
        let disk = Self { around, cuts: 0 };
        let file = std::fs::File::create(disk.image()).map_err(|e| e.to_string())?;
        file.set_len(DISK_BYTES).map_err(|e| e.to_string())?;
        std::fs::create_dir(disk.folder()).map_err(|e| e.to_string())?;
        run("mkfs.ext4", &["-q", "-F", &text(&disk.image())])?;
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub fn folder(&self) -> PathBuf {
        self.around.path().join("disk")
    }

    fn image(&self) -> PathBuf {
        self.around.path().join(format!("image-{}", self.cuts))
    }

    fn mount(&self) -> Result<(), String> {
        run("mount", &["-o", "loop", &text(&self.image()), &text(&self.folder())])
    }

    /// Cuts the power and switches it on again. The server must be dead already.
    pub fn cut(&mut self) {
        let before = self.image();
        self.cuts += 1;
        let after = self.image();
        // First the copy: to unmount would write out all that the cut is to take.
        run("cp", &["--sparse=always", &text(&before), &text(&after)]).expect("the disk's file is copied");
        run("umount", &[&text(&self.folder())]).expect("nobody uses the disk");
        std::fs::remove_file(before).expect("the old disk goes away");
        self.mount().expect("the file system comes back after the cut");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder()).status();
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output().map_err(|e| format!("{program}: {e}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{program}: {}", told.trim())) }
}
