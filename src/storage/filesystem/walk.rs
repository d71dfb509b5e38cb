//! Walks over what is on the disk, and tells what has no place there. Follows no symbolic links, trusts no name,
//! and goes on after whatever it meets. Knows nothing of what the metadata thinks.

use crate::oci::digest::{Algorithm, Digest};
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::storage::error::{Error, Result};
use crate::storage::filesystem::files;
use crate::storage::filesystem::root::Root;
use crate::storage::layout;
use crate::storage::links::{Found, FoundRepository, Link};
use std::fs::FileType;
use std::io;
use tokio::sync::mpsc::Sender;

/// So many findings are handed on at once.
const BATCH: usize = 256;

/// All repositories below the root, in no order.
pub fn repositories(root: &Root) -> Result<Vec<FoundRepository>> {
    let mut found = Vec::new();
    // A name has at most 255 bytes, so folders below such a path are not entered: no circle has no end.
    let mut folders = vec![String::new()];
    while let Some(name) = folders.pop() {
        let path = if name.is_empty() {
            layout::REPOSITORIES.to_owned()
        } else {
            format!("{}/{name}", layout::REPOSITORIES)
        };
        let mut odd = |path: String, why: String| found.push(FoundRepository::Odd { path, why });
        let entries = match Entries::of(root, &path) {
            Ok(entries) => entries,
            Err(e) if name.is_empty() => return Err(Error::at(path, e)),
            Err(e) => {
                odd(path, format!("the folder cannot be read: {e}"));
                continue;
            }
        };
        let mut holds = false;
        for entry in entries {
            match entry {
                Err(Oddity { path, why }) => odd(path, why),
                Ok(entry) if name.is_empty() && layout::RESERVED.contains(&entry.name.as_str()) => {
                    odd(entry.path, "it belongs into a repository".into());
                }
                Ok(entry) if layout::RESERVED.contains(&entry.name.as_str()) => {
                    holds |= entry.name != layout::UPLOADS;
                }
                Ok(entry) if !entry.kind.is_dir() => odd(entry.path, not_a_folder(entry.kind)),
                Ok(entry) => {
                    let inner = if name.is_empty() { entry.name } else { format!("{name}/{}", entry.name) };
                    match inner.parse::<Repository>() {
                        Ok(_) => folders.push(inner),
                        Err(e) => odd(entry.path, e.to_string()),
                    }
                }
            }
        }
        if holds && let Ok(repository) = name.parse() {
            found.push(FoundRepository::Repository(repository));
        }
    }
    Ok(found)
}

/// All that one repository holds: layers, then revisions, then tags. Ends early when nobody listens.
pub fn repository(root: &Root, repository: &Repository, send: &Sender<Vec<Found>>) {
    let mut walk = Walk { root, found: Vec::with_capacity(BATCH), send };
    let folder = layout::repository(repository);
    walk.digests(&format!("{folder}/_layers"), Link::Layer);
    walk.manifests(&format!("{folder}/_manifests"));
    walk.digests(&format!("{folder}/_manifests/revisions"), Link::Revision);
    walk.tags(&format!("{folder}/_manifests/tags"));
    walk.hand_on();
}

struct Walk<'a> {
    root: &'a Root,
    found: Vec<Found>,
    send: &'a Sender<Vec<Found>>,
}

impl Walk<'_> {
    fn tell(&mut self, found: Found) {
        self.found.push(found);
        if self.found.len() >= BATCH {
            self.hand_on();
        }
    }

    fn hand_on(&mut self) {
        let batch = std::mem::replace(&mut self.found, Vec::with_capacity(BATCH));
        // Without a listener there is nothing to do but to come to an end.
        drop(self.send.blocking_send(batch));
    }

    fn odd(&mut self, path: impl Into<String>, why: impl Into<String>) {
        self.tell(Found::Odd { path: path.into(), why: why.into() });
    }

    /// Visits the entries of a folder; one that is absent has none. Whether there were any.
    fn each(&mut self, path: &str, mut visit: impl FnMut(&mut Self, Entry)) -> bool {
        let mut any = false;
        let entries = match Entries::of(self.root, path) {
            Ok(entries) => entries,
            Err(e) if files::is_absent(&e) => return false,
            Err(e) => {
                self.odd(path, format!("the folder cannot be read: {e}"));
                return true;
            }
        };
        for entry in entries {
            any = true;
            if self.send.is_closed() {
                break;
            }
            match entry {
                Ok(entry) => visit(self, entry),
                Err(Oddity { path, why }) => self.odd(path, why),
            }
        }
        any
    }

    /// Visits the entries that are folders; the others are odd.
    fn each_folder(&mut self, path: &str, mut visit: impl FnMut(&mut Self, Entry)) {
        self.each(path, |walk, entry| {
            if entry.kind.is_dir() {
                visit(walk, entry);
            } else {
                walk.odd(entry.path, not_a_folder(entry.kind));
            }
        });
    }

    /// `<algorithm>/<hex>/link` below a folder.
    fn digests(&mut self, path: &str, link: fn(Digest) -> Link) {
        self.each_folder(path, |walk, algorithm| {
            if algorithm.name.parse::<Algorithm>().is_err() {
                return walk.odd(algorithm.path, "it is no digest algorithm that is known here");
            }
            walk.each_folder(&algorithm.path, |walk, hex| {
                match format!("{}:{}", algorithm.name, hex.name).parse::<Digest>() {
                    Ok(named) => walk.link(&hex.path, &["link", "signatures"], "link", Some(named), link),
                    Err(e) => walk.odd(hex.path, e.to_string()),
                }
            });
        });
    }

    /// Strays beside the folders of revisions and tags.
    fn manifests(&mut self, path: &str) {
        self.each_folder(path, |walk, entry| {
            if !matches!(entry.name.as_str(), "revisions" | "tags") {
                walk.odd(entry.path, "it has no place here");
            }
        });
    }

    /// `<tag>/current/link` below a folder. What stands in `index` is history, which nobody asks for.
    fn tags(&mut self, path: &str) {
        self.each_folder(path, |walk, folder| match folder.name.parse::<Tag>() {
            Ok(tag) => {
                let link = |digest| Link::Tag(tag.clone(), digest);
                walk.link(&folder.path, &["current", "index"], "current/link", None, link);
            }
            Err(e) => walk.odd(folder.path, e.to_string()),
        });
    }

    /// The link in a folder, which may hold nothing but `allowed`, and is named for what the link must say if
    /// it is named for a digest. An empty folder is what registry:2 leaves of a name that it deletes.
    fn link(
        &mut self,
        folder: &str,
        allowed: &[&str],
        file: &str,
        named: Option<Digest>,
        link: impl Fn(Digest) -> Link,
    ) {
        let any = self.each(folder, |walk, entry| {
            if !allowed.contains(&entry.name.as_str()) {
                walk.odd(entry.path, "it has no place here");
            }
        });
        if !any {
            return;
        }
        let path = format!("{folder}/{file}");
        match files::read_small(self.root.folder(), &path) {
            Err(e) if files::is_absent(&e) => self.odd(path, "the link is missing"),
            Err(e) => self.odd(path, format!("the link cannot be read: {e}")),
            Ok((text, modified)) => match layout::linked(&text) {
                None => self.odd(path, "the link is no digest"),
                Some(digest) if named.is_some_and(|named| named != digest) => {
                    self.odd(path, "the link says another digest than its folder");
                }
                Some(digest) => self.tell(Found::Link { link: link(digest), modified }),
            },
        }
    }
}

/// One entry of a folder.
struct Entry {
    name: String,
    path: String,
    kind: FileType,
}

/// An entry that is not looked at.
struct Oddity {
    path: String,
    why: String,
}

/// The entries of a folder, one after the other.
struct Entries {
    folder: String,
    inner: std::fs::ReadDir,
}

impl Entries {
    fn of(root: &Root, folder: &str) -> io::Result<Self> {
        Ok(Self { folder: folder.to_owned(), inner: std::fs::read_dir(root.below(folder))? })
    }
}

impl Iterator for Entries {
    type Item = std::result::Result<Entry, Oddity>;

    fn next(&mut self) -> Option<Self::Item> {
        let odd = |name: &str, why: String| Oddity { path: format!("{}/{name}", self.folder), why };
        let entry = match self.inner.next()? {
            Ok(entry) => entry,
            Err(e) => return Some(Err(odd("", format!("the folder cannot be read to its end: {e}")))),
        };
        let name = match entry.file_name().into_string() {
            Ok(name) => name,
            Err(name) => return Some(Err(odd(&name.to_string_lossy(), "the name is no UTF-8".into()))),
        };
        Some(match entry.file_type() {
            Err(e) => Err(odd(&name, format!("it cannot be looked at: {e}"))),
            Ok(kind) if kind.is_symlink() => Err(odd(&name, "symbolic links are not followed".into())),
            Ok(kind) => Ok(Entry { path: format!("{}/{name}", self.folder), name, kind }),
        })
    }
}

fn not_a_folder(kind: FileType) -> String {
    if kind.is_file() { "a file has no place here" } else { "it is no folder" }.into()
}
