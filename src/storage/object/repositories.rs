//! All repositories in a bucket, by the names of objects alone. A page of names is read at a time; where one ends in the
//! middle of what a repository holds, the rest of that is leapt over. So it never costs more requests than a list of
//! everything, and hardly more than two for each large repository.

use crate::oci::repository::Repository;
use crate::storage::error::Result;
use crate::storage::layout;
use crate::storage::links::FoundRepository;
use crate::storage::object::bucket::{Bucket, Listed};
use futures_util::TryStreamExt;

/// Names that servers give in one answer.
const PAGE: usize = 1000;

/// All repositories, in the order of their names.
pub async fn all(bucket: &Bucket) -> Result<Vec<FoundRepository>> {
    let (mut seen, mut after) = (Seen::default(), None::<String>);
    loop {
        let mut objects = bucket.below(layout::REPOSITORIES, after.as_deref());
        let mut count = 0;
        after = loop {
            let Some(object) = objects.try_next().await? else { return Ok(seen.found) };
            seen.take(&object);
            count += 1;
            // Behind a strange name no list can begin.
            if count >= PAGE && !object.strange {
                break Some(beyond(&object.path));
            }
        };
    }
}

/// The name after which the list goes on behind an object: behind all that stands in the same folder of a repository.
fn beyond(path: &str) -> String {
    let mut end = layout::REPOSITORIES.len();
    for part in path.get(end + 1..).unwrap_or_default().split('/') {
        end += 1 + part.len();
        if layout::RESERVED.contains(&part) && end < path.len() {
            // `0` is what follows the slash.
            return format!("{}0", path.get(..end).unwrap_or_default());
        }
    }
    path.to_owned()
}

#[derive(Default)]
struct Seen {
    found: Vec<FoundRepository>,
}

impl Seen {
    fn take(&mut self, object: &Listed) {
        let Some(rest) =
            object.path.strip_prefix(layout::REPOSITORIES).and_then(|rest| rest.strip_prefix('/'))
        else {
            return;
        };
        let parts: Vec<&str> = rest.split('/').collect();
        let reserved = parts.iter().position(|part| layout::RESERVED.contains(part));
        if reserved == Some(0) {
            return self.odd(&parts, 1, "it belongs into a repository".into());
        }
        let deepest = reserved.unwrap_or(parts.len() - 1);
        let mut repository = None;
        for depth in 1..=deepest {
            match parts.get(..depth).unwrap_or_default().join("/").parse::<Repository>() {
                Ok(good) => repository = Some(good),
                Err(error) => return self.odd(&parts, depth, error.to_string()),
            }
        }
        match reserved.and_then(|at| parts.get(at)) {
            Some(&layout::UPLOADS) => {}
            Some(_) => {
                self.found.extend(repository.map(FoundRepository::Repository).filter(|it| !self.is_last(it)));
            }
            // Without a size it is a folder that somebody has made an object of.
            None if object.size == 0 => {}
            None => self.odd(&parts, parts.len(), "a file has no place here".into()),
        }
    }

    fn odd(&mut self, parts: &[&str], depth: usize, why: String) {
        let path = format!("{}/{}", layout::REPOSITORIES, parts.get(..depth).unwrap_or(parts).join("/"));
        let odd = FoundRepository::Odd { path, why };
        if !self.is_last(&odd) {
            self.found.push(odd);
        }
    }

    /// Whether it was told just now: all of one folder come together.
    fn is_last(&self, found: &FoundRepository) -> bool {
        self.found.last() == Some(found)
    }
}
