//! A walk over what a repository holds in a bucket, and tells what has no place there. The names of objects come in
//! their order, so that all of one folder come together; their bytes are read a few ahead. Trusts no name, and goes on
//! after whatever it meets, but not when the bucket does not answer: what is only missed must not look gone.

use crate::oci::digest::{Algorithm, Digest};
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::links::{Found, Link};
use crate::storage::object::bucket::{Bucket, Listed};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::io;

/// A link object that is larger is none.
pub const LINK_BYTES_MAX: usize = 512;
/// Links that are read ahead of the visitor.
const AHEAD: usize = 32;

/// All that one repository holds: layers, then revisions, then tags.
pub async fn repository(
    bucket: &Bucket,
    repository: &Repository,
    visit: &mut (dyn FnMut(Found) + Send),
) -> Result<()> {
    let base = layout::repository(repository);
    for folder in ["_layers", "_manifests"] {
        let mut sorter = Sorter { base: &base, folder: None, odd: None };
        let mut objects =
            bucket.below(&format!("{base}/{folder}"), None).map(Some).chain(stream::iter([None]));
        let mut found = steps(&mut sorter, &mut objects).map_ok(|step| step.run(bucket)).try_buffered(AHEAD);
        while let Some(found) = found.try_next().await? {
            found.into_iter().for_each(&mut *visit);
        }
    }
    Ok(())
}

/// What is to be done about the objects, in their order. `None` behind the last one: the end.
fn steps<'a>(
    sorter: &'a mut Sorter<'_>,
    objects: &'a mut (dyn futures_util::Stream<Item = Option<Result<Listed>>> + Send + Unpin),
) -> impl futures_util::Stream<Item = Result<Step>> + Send + 'a {
    objects
        .map(|object| {
            let steps = match object {
                Some(Ok(object)) => sorter.take(&object).into_iter().map(Ok).collect(),
                Some(Err(error)) => vec![Err(error)],
                None => sorter.leave().into_iter().map(Ok).collect(),
            };
            stream::iter(steps)
        })
        .flatten()
}

/// What is to be done about an object.
enum Step {
    Read(String, Named),
    Tell(Found),
}

/// What a link is for.
enum Named {
    Layer(Digest),
    Revision(Digest),
    Tag(Tag),
}

impl Step {
    async fn run(self, bucket: &Bucket) -> Result<Option<Found>> {
        let (path, named) = match self {
            Self::Tell(found) => return Ok(Some(found)),
            Self::Read(path, named) => (path, named),
        };
        let link = match bucket.small(&path, LINK_BYTES_MAX).await {
            Ok(None) => return Ok(None), // gone meanwhile
            Ok(Some(link)) => link,
            Err(Error::Fault { source, .. }) if source.kind() == io::ErrorKind::InvalidData => {
                return Ok(Some(odd(path, "the link is no digest")));
            }
            Err(error) => return Err(error),
        };
        let Some(says) = layout::linked(&link.bytes) else {
            return Ok(Some(odd(path, "the link is no digest")));
        };
        let link_of = match named {
            Named::Layer(digest) | Named::Revision(digest) if digest != says => {
                return Ok(Some(odd(path, "the link says another digest than its folder")));
            }
            Named::Layer(digest) => Link::Layer(digest),
            Named::Revision(digest) => Link::Revision(digest),
            Named::Tag(tag) => Link::Tag(tag, says),
        };
        Ok(Some(Found::Link { link: link_of, modified: link.modified }))
    }
}

fn odd(path: String, why: &str) -> Found {
    Found::Odd { path, why: why.into() }
}

/// Sorts objects, folder by folder.
struct Sorter<'a> {
    /// The folder of the repository.
    base: &'a str,
    /// The link that the folder is for which we are in, until it has been met.
    folder: Option<(String, Option<String>)>,
    /// What was told to be odd last: it is told once, however much stands below it.
    odd: Option<String>,
}

/// Where an object stands.
enum Place<'a> {
    /// In a folder that is named for a link: the folder's parts, what it is named for, and what of it must be there.
    Folder(usize, Named, &'a [&'a str]),
    /// In a place for nothing: so many parts tell where, and why.
    Odd(usize, String),
    /// A folder that somebody has made an object of.
    Empty,
}

impl Sorter<'_> {
    fn take(&mut self, object: &Listed) -> Vec<Step> {
        let Some(rest) = object.path.strip_prefix(self.base).and_then(|rest| rest.strip_prefix('/')) else {
            return Vec::new();
        };
        let parts: Vec<&str> = rest.split('/').collect();
        let path = |parts: &[&str]| format!("{}/{}", self.base, parts.join("/"));
        match place(&parts, object.size) {
            Place::Empty => Vec::new(),
            Place::Odd(depth, why) => {
                let path = path(parts.get(..depth).unwrap_or(&parts));
                self.leave().into_iter().chain(self.strange(path, why)).collect()
            }
            Place::Folder(depth, named, link) => {
                let (allowed, ends): (&[&str], &str) = match &named {
                    Named::Tag(_) => (&["current", "index"], "current/link"),
                    _ => (&["link", "signatures"], "link"),
                };
                let folder = path(parts.get(..depth).unwrap_or(&parts));
                let is_link = link.join("/") == ends;
                let first = link.first().copied().unwrap_or_default();
                let stray = (!allowed.contains(&first)).then(|| format!("{folder}/{first}"));
                let mut steps = Vec::new();
                if self.folder.as_ref().is_none_or(|(inside, _)| *inside != folder) {
                    steps.extend(self.leave());
                    self.folder = Some((folder.clone(), Some(format!("{folder}/{ends}"))));
                }
                if is_link {
                    if let Some((_, missing)) = &mut self.folder {
                        *missing = None;
                    }
                    steps.push(Step::Read(object.path.clone(), named));
                }
                steps.extend(stray.and_then(|path| self.strange(path, "it has no place here".into())));
                steps
            }
        }
    }

    /// Leaves the folder that we are in; its link should have been there.
    fn leave(&mut self) -> Option<Step> {
        let (_, missing) = self.folder.take()?;
        Some(Step::Tell(odd(missing?, "the link is missing")))
    }

    fn strange(&mut self, path: String, why: String) -> Option<Step> {
        if self.odd.as_ref() == Some(&path) {
            return None;
        }
        self.odd = Some(path.clone());
        Some(Step::Tell(Found::Odd { path, why }))
    }
}

/// Where an object stands, by the parts of its path below the repository.
fn place<'a>(parts: &'a [&'a str], size: u64) -> Place<'a> {
    let file = |depth: usize| match size {
        0 => Place::Empty,
        _ => Place::Odd(depth, "a file has no place here".into()),
    };
    match parts {
        ["_layers", algorithm, hex, link @ ..] => digest(2, algorithm, hex, link, Named::Layer, file),
        ["_manifests", "revisions", algorithm, hex, link @ ..] => {
            digest(3, algorithm, hex, link, Named::Revision, file)
        }
        ["_manifests", "tags", tag, link @ ..] if !link.is_empty() => match tag.parse::<Tag>() {
            Ok(tag) => Place::Folder(3, Named::Tag(tag), link),
            Err(error) => Place::Odd(3, error.to_string()),
        },
        ["_manifests", "revisions" | "tags", ..] | ["_layers" | "_manifests"] | ["_layers", _] => {
            file(parts.len())
        }
        ["_manifests", ..] => Place::Odd(2, "it has no place here".into()),
        _ => Place::Odd(1, "it has no place here".into()),
    }
}

/// Where an object stands below `<algorithm>/<hex>`; `depth` parts lead to the algorithm.
fn digest<'a>(
    depth: usize,
    algorithm: &str,
    hex: &str,
    link: &'a [&'a str],
    named: fn(Digest) -> Named,
    file: impl Fn(usize) -> Place<'a>,
) -> Place<'a> {
    if algorithm.parse::<Algorithm>().is_err() {
        return Place::Odd(depth, "it is no digest algorithm that is known here".into());
    }
    if link.is_empty() {
        return file(depth + 1);
    }
    match format!("{algorithm}:{hex}").parse::<Digest>() {
        Ok(digest) => Place::Folder(depth + 1, named(digest), link),
        Err(error) => Place::Odd(depth + 1, error.to_string()),
    }
}
