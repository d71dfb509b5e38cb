//! Lists of objects, in the order of their names. The library reads each name as a path, and gives up a whole page of them
//! for one that is none: with an empty part, a part `.` or `..`, or a control character, as other programs may write
//! them. From there on smaller and smaller pages are asked for, until the strange name is alone; it is told, and the list
//! goes on behind the folder that makes it strange.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::{self, Path, PathPart};
use object_store::{Error as Failure, ObjectMeta, ObjectStore, Result};
use std::collections::VecDeque;
use std::sync::Arc;

/// Names that servers give in one answer.
const PAGE: usize = 1000;
/// An object that stands for the folder itself, and one in it.
const FEW: usize = 2;

/// What stands in a list.
#[derive(Debug)]
pub enum Entry {
    /// An object.
    Object(ObjectMeta),
    /// The first of the objects in a folder that no path leads into, or one that no path names.
    Strange(String),
}

/// All objects below a folder, or those behind a name. Without `pages` a strange name ends the list with an error.
pub fn below(
    objects: &Arc<dyn ObjectStore>,
    pages: Option<&Arc<dyn PaginatedListStore>>,
    folder: &Path,
    after: Option<&Path>,
) -> BoxStream<'static, Result<Entry>> {
    let usual = match after {
        Some(after) => objects.list_with_offset(Some(folder), after),
        None => objects.list(Some(folder)),
    };
    let Some(pages) = pages else { return usual.map(|meta| meta.map(Entry::Object)).boxed() };
    let careful = Careful::new(pages, folder, after, PAGE / 2);
    let list = List { usual: Some(usual), careful };
    futures_util::stream::unfold(list, |mut list| async { Some((list.next().await?, list)) }).boxed()
}

/// The same for whoever wants to know whether there are any: a few names at a time.
pub fn a_few(
    objects: &Arc<dyn ObjectStore>,
    pages: Option<&Arc<dyn PaginatedListStore>>,
    folder: &Path,
) -> BoxStream<'static, Result<Entry>> {
    let Some(pages) = pages else { return below(objects, None, folder, None) };
    let list = List { usual: None, careful: Careful::new(pages, folder, None, FEW) };
    futures_util::stream::unfold(list, |mut list| async { Some((list.next().await?, list)) }).boxed()
}

/// A list on its way.
struct List {
    /// As the library lists, until it meets a strange name.
    usual: Option<BoxStream<'static, Result<ObjectMeta>>>,
    careful: Careful,
}

impl List {
    async fn next(&mut self) -> Option<Result<Entry>> {
        let Some(usual) = &mut self.usual else { return self.careful.next().await };
        match usual.next().await? {
            Ok(meta) => {
                self.careful.after = Some(meta.location.to_string());
                Some(Ok(Entry::Object(meta)))
            }
            Err(Failure::InvalidPath { .. }) => {
                self.usual = None;
                self.careful.next().await
            }
            Err(error) => {
                (self.usual, self.careful.over) = (None, true);
                Some(Err(error))
            }
        }
    }
}

/// The rest of a list in which a strange name was met.
struct Careful {
    pages: Arc<dyn PaginatedListStore>,
    /// The folder, with a slash.
    folder: String,
    /// The name behind which the list goes on where there is no token.
    after: Option<String>,
    /// How the server knows where the page before has ended.
    token: Option<String>,
    /// So many names are asked for.
    keys: usize,
    found: VecDeque<ObjectMeta>,
    over: bool,
}

impl Careful {
    fn new(pages: &Arc<dyn PaginatedListStore>, folder: &Path, after: Option<&Path>, keys: usize) -> Self {
        Self {
            pages: Arc::clone(pages),
            folder: format!("{folder}/"),
            after: after.map(ToString::to_string),
            token: None,
            keys,
            found: VecDeque::new(),
            over: false,
        }
    }

    async fn next(&mut self) -> Option<Result<Entry>> {
        loop {
            if let Some(meta) = self.found.pop_front() {
                return Some(Ok(Entry::Object(meta)));
            }
            if self.over {
                return None;
            }
            match self.page().await {
                Ok(None) => {}
                Ok(Some(strange)) => return Some(Ok(Entry::Strange(strange))),
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
    }

    /// Asks for a page, or finds that it has to be a smaller one. A strange name, once it is alone.
    async fn page(&mut self) -> Result<Option<String>> {
        let options = PaginatedListOptions {
            offset: self.after.clone(),
            max_keys: Some(self.keys),
            page_token: self.token.clone(),
            ..PaginatedListOptions::default()
        };
        match self.pages.list_paginated(Some(&self.folder), options).await {
            Ok(page) => {
                let first = self.token.is_none();
                (self.over, self.token) = (page.page_token.is_none(), page.page_token);
                self.keys = (self.keys * 2).min(PAGE);
                self.found = page.result.objects.into();
                if first { self.begins_behind().map(|()| None) } else { Ok(None) }
            }
            Err(Failure::InvalidPath { .. }) if self.keys > 1 => {
                self.keys /= 2;
                Ok(None)
            }
            Err(Failure::InvalidPath { source }) => {
                let goes_on = |name: &&str| {
                    name.starts_with(&self.folder) && self.after.as_deref().is_none_or(|after| *name > after)
                };
                let Some(name) = strange(&source).filter(goes_on).map(str::to_owned) else {
                    return Err(Failure::InvalidPath { source });
                };
                (self.after, self.token) = (Some(beyond(&self.folder, &name)), None);
                Ok(Some(name))
            }
            Err(error) => Err(error),
        }
    }

    /// Holds a server to what it was asked: one that knows no "behind" would be listed round and round.
    fn begins_behind(&mut self) -> Result<()> {
        let Some(after) = self.after.as_deref() else { return Ok(()) };
        // The object of a folder itself: its name ends with a slash, of which the library says nothing.
        self.found.pop_front_if(|first| first.location.as_ref() == after);
        if self.found.front().is_some_and(|first| first.location.as_ref() < after) {
            let source =
                format!("the server does not list behind a name, and there is a strange one: {after}");
            return Err(Failure::Generic { store: "list", source: source.into() });
        }
        Ok(())
    }
}

/// The name that is no path.
fn strange(error: &path::Error) -> Option<&str> {
    match error {
        path::Error::EmptySegment { path } | path::Error::BadSegment { path, .. } => Some(path),
        _ => None,
    }
}

/// The name behind all that stands in the folder that makes a name strange, or the name itself. An object of just that
/// name is passed over: none of the layout ends with a `0` in place of a slash.
fn beyond(folder: &str, name: &str) -> String {
    let mut end = folder.len();
    for part in name.get(end..).unwrap_or_default().split('/') {
        end += part.len();
        if end < name.len() && (part.is_empty() || PathPart::parse(part).is_err()) {
            // `0` is what follows the slash.
            return format!("{}0", name.get(..end).unwrap_or_default());
        }
        end += 1;
    }
    name.to_owned()
}
