//! Looks at a storage folder from outside: walks, copies, and writes the files of registry:2's layout by hand.
//! It must not know the server's own files: everything here follows the published layout.

use super::image::{Manifest, sha256_of};
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a folder (empty when the folder is absent).
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(_) => found.push(entry.path()),
                Err(_) => {}
            }
        }
    }
    found.sort();
    found
}

/// Copies a folder with all its files.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("make a folder");
    for entry in fs::read_dir(from).expect("read a folder") {
        let entry = entry.expect("read an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a file type") {
            kind if kind.is_dir() => copy_folder(&entry.path(), &target),
            kind if kind.is_file() => {
                fs::copy(entry.path(), target).expect("copy a file");
            }
            _ => {}
        }
    }
}

/// A store in registry:2's layout, written by hand. The path is that of `docker/registry/v2`.
pub struct Layout(pub PathBuf);

impl Layout {
    /// Writes a file below the root of the layout.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("make folders");
        fs::write(path, content).expect("write a file");
    }

    /// Makes a folder below the root of the layout.
    pub fn folder(&self, path: &str) {
        fs::create_dir_all(self.0.join(path)).expect("make folders");
    }

    /// Where the bytes of a digest stand.
    pub fn data_path(&self, digest: &str) -> PathBuf {
        let (algorithm, hex) = digest.split_once(':').expect("a digest");
        self.0.join("blobs").join(algorithm).join(&hex[..2]).join(hex).join("data")
    }

    /// Stores bytes under their digest.
    pub fn data(&self, bytes: &[u8]) -> String {
        let digest = sha256_of(bytes);
        let path = self.data_path(&digest);
        if !path.exists() {
            fs::create_dir_all(path.parent().expect("a parent")).expect("make folders");
            fs::write(path, bytes).expect("write a blob");
        }
        digest
    }

    /// Links a blob into a repository.
    pub fn layer_link(&self, repo: &str, digest: &str) {
        self.link(&format!("repositories/{repo}/_layers/{}/link", slashed(digest)), digest);
    }

    /// Links a manifest into a repository.
    pub fn revision_link(&self, repo: &str, digest: &str) {
        self.link(&format!("repositories/{repo}/_manifests/revisions/{}/link", slashed(digest)), digest);
    }

    /// Points a tag at a manifest.
    pub fn tag_link(&self, repo: &str, tag: &str, digest: &str) {
        let tag = format!("repositories/{repo}/_manifests/tags/{tag}");
        self.link(&format!("{tag}/current/link"), digest);
        self.link(&format!("{tag}/index/{}/link", slashed(digest)), digest);
    }

    /// Stores a manifest with its blobs and children, all linked, as a push would have left them.
    pub fn manifest(&self, repo: &str, manifest: &Manifest) {
        for child in &manifest.children {
            self.manifest(repo, child);
        }
        for blob in &manifest.blobs {
            self.layer_link(repo, &self.data(blob));
        }
        self.revision_link(repo, &self.data(&manifest.bytes));
    }

    fn link(&self, path: &str, digest: &str) {
        self.file(path, digest);
    }

    /// What the tag means, as the link file on disk says it.
    pub fn tag_target(&self, repo: &str, tag: &str) -> Option<String> {
        let path = format!("repositories/{repo}/_manifests/tags/{tag}/current/link");
        fs::read_to_string(self.0.join(path)).ok().map(|text| text.trim().to_owned())
    }
}

fn slashed(digest: &str) -> String {
    digest.replacen(':', "/", 1)
}
