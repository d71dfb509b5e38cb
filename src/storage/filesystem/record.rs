//! Writing and removing link files.

use crate::oci::repository::Repository;
use crate::storage::error::Error;
use crate::storage::filesystem::files;
use crate::storage::filesystem::publisher::{Bench, Job, Step};
use crate::storage::layout;
use crate::storage::links::{Link, Name};
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::io;

/// A job that writes links.
///
/// A new link file is written in place: a power cut may leave it torn, but then nobody was told of it, and it
/// counts as absent. One that is there already is replaced by a rename, after its new bytes, and the links of
/// the manifest that a tag will mean, are durable: what somebody was told of is never torn.
pub fn record(repository: &Repository, links: &[Link]) -> Job {
    let mut files: Vec<(String, String)> = Vec::new();
    let mut currents: Vec<(String, String)> = Vec::new();
    for link in links {
        let (Link::Layer(digest) | Link::Revision(digest) | Link::Tag(_, digest)) = link;
        let texts =
            layout::link_files(repository, link).into_iter().map(|path| (path, layout::link_text(digest)));
        files.extend(texts);
        if matches!(link, Link::Tag(..)) {
            currents.extend(files.pop()); // the most important one is the last
        }
    }
    let mut renames: Vec<(String, String)> = Vec::new();
    let mut begun = false;
    Box::new(move |bench| {
        if !begun {
            begun = true;
            for (path, text) in files.iter().chain(&currents) {
                let aside = replace(bench, path, text).map_err(|e| Error::at(path, e))?;
                renames.extend(aside.map(|aside| (aside, path.clone())));
            }
            return Ok(Step::Sync);
        }
        let step = if renames.is_empty() { Step::Done } else { Step::Sync };
        for (aside, path) in renames.drain(..) {
            let moved = files::rename(bench.root.folder(), &aside, &path, &mut bench.touched);
            moved.map_err(|e| Error::at(path, e))?;
        }
        Ok(step)
    })
}

/// Writes a new link file.
fn write(bench: &mut Bench, path: &str, text: &str) -> io::Result<()> {
    let root = bench.root.folder();
    let folder = path.strip_suffix("/link").unwrap_or(path);
    files::create_folders(root, folder, &mut bench.touched)?;
    let file = files::create(root, path)?;
    files::write_all_at(&file, text.as_bytes(), 0)?;
    bench.touched.entry(path);
    bench.touched.file(file);
    Ok(())
}

/// Whether a link file says this already, and is known to.
fn says(bench: &Bench, path: &str, text: &str) -> io::Result<bool> {
    Ok(!bench.doubtful && files::read_small(bench.root.folder(), path)?.0 == text.as_bytes())
}

/// Writes a link file in place if it is new, else beside: the name of that file, to be renamed when durable.
fn replace(bench: &mut Bench, path: &str, text: &str) -> io::Result<Option<String>> {
    let root = bench.root.folder();
    match says(bench, path, text) {
        Ok(true) => return Ok(None),
        Err(e) if files::is_absent(&e) => return write(bench, path, text).map(|()| None),
        // Whatever stands there, a link is what belongs there.
        Ok(false) | Err(_) => {}
    }
    let aside = layout::temporary();
    let file = files::create(root, &aside)?;
    files::write_all_at(&file, text.as_bytes(), 0)?;
    bench.touched.file(file);
    Ok(Some(aside))
}

/// A job that removes names, tags first.
pub fn forget(repository: &Repository, names: &[Name]) -> Job {
    let mut tags = Vec::new();
    let mut others = Vec::new();
    for name in names {
        let paths = (layout::name_file(repository, name), layout::name_folder(repository, name));
        if matches!(name, Name::Tag(_)) { &mut tags } else { &mut others }.push(paths);
    }
    let mut begun = false;
    Box::new(move |bench| {
        if begun {
            return Ok(Step::Done);
        }
        begun = true;
        for (file, folder) in &tags {
            remove(bench, file).map_err(|e| Error::at(file, e))?;
            match std::fs::remove_dir_all(bench.root.below(folder)) {
                Err(e) if !is_nothing(&e) => return Err(Error::at(folder, e)),
                _ => bench.touched.entry(folder),
            }
        }
        for (file, folder) in &others {
            remove(bench, file).map_err(|e| Error::at(file, e))?;
            match rustix::fs::unlinkat(bench.root.folder(), folder.as_str(), AtFlags::REMOVEDIR) {
                // Something else is in the folder: not ours to remove.
                Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                Err(e) => return Err(Error::at(folder, e.into())),
            }
            bench.touched.entry(folder);
        }
        Ok(Step::Sync)
    })
}

fn remove(bench: &mut Bench, file: &str) -> io::Result<()> {
    match files::remove(bench.root.folder(), file) {
        Err(e) if !is_nothing(&e) => return Err(e),
        _ => bench.touched.entry(file),
    }
    Ok(())
}

/// Whether nothing stands at a path: not there, or below what is no folder.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A job that makes durable whatever is seen of the storage now.
pub fn sync() -> Job {
    let mut begun = false;
    Box::new(move |bench| {
        if begun {
            return Ok(Step::Done);
        }
        begun = true;
        if bench.touched.wanted {
            // What an earlier process has touched is not known one by one.
            rustix::fs::syncfs(bench.root.folder()).map_err(|e| Error::at("the storage", e.into()))?;
        }
        Ok(Step::Sync)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::contract::sha256;
    use crate::storage::filesystem::files::Touched;
    use crate::storage::filesystem::root::Root;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    /// The folders below `top` that have entries, and how many files.
    fn filled(folder: &Path, top: &str) -> (BTreeSet<String>, usize) {
        let (mut folders, mut files, mut left) = (BTreeSet::new(), 0, vec![top.to_owned()]);
        while let Some(path) = left.pop() {
            for entry in fs::read_dir(folder.join(&path)).unwrap().map(Result::unwrap) {
                folders.insert(path.clone());
                if entry.file_type().unwrap().is_dir() {
                    left.push(format!("{path}/{}", entry.file_name().to_str().unwrap()));
                } else {
                    files += 1;
                }
            }
        }
        (folders, files)
    }

    #[test]
    fn all_that_is_new_is_noted_to_be_synced() {
        let folder = tempfile::tempdir().unwrap();
        let root = Arc::new(Root::open(folder.path(), 0).unwrap());
        let touched = Touched { wanted: true, ..Touched::default() };
        let mut bench = Bench { root, touched, doubtful: false };
        let app = "team/app".parse().unwrap();
        let (one, two) = (sha256(b"one"), sha256(b"two"));
        let tag = |digest| Link::Tag("v1".parse().unwrap(), digest);
        let mut job = record(&app, &[Link::Layer(one), Link::Revision(one), tag(one)]);
        assert_eq!(job(&mut bench).unwrap(), Step::Sync);
        let (folders, files) = filled(folder.path(), layout::REPOSITORIES);
        assert_eq!((&bench.touched.folders, bench.touched.files.len()), (&folders, files));
        // A tag that is moved: first the new bytes, then the rename.
        bench.touched = Touched { wanted: true, ..Touched::default() };
        let mut job = record(&app, &[tag(two)]);
        assert_eq!(job(&mut bench).unwrap(), Step::Sync);
        assert_eq!(bench.touched.files.len(), 2);
        let current = format!("{}/team/app/_manifests/tags/v1/current", layout::REPOSITORIES);
        assert!(!bench.touched.folders.contains(&current));
        assert_eq!(fs::read_to_string(folder.path().join(&current).join("link")).unwrap(), one.to_string());
        assert_eq!(job(&mut bench).unwrap(), Step::Sync);
        assert!(bench.touched.folders.contains(&current));
        assert_eq!(fs::read_to_string(folder.path().join(&current).join("link")).unwrap(), two.to_string());
        assert_eq!(job(&mut bench).unwrap(), Step::Done);
    }
}
