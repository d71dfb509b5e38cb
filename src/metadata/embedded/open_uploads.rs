//! The open uploads, in memory. Most live for a few milliseconds, from the POST to the PUT of a small blob, and
//! are never written at all; those that live longer are written a moment later, so that they outlive a restart.

use crate::metadata::embedded::engine::Batch;
use crate::metadata::embedded::{keys, rows};
use crate::metadata::uploads::{Opened, Progress, Upload};
use crate::oci::repository::Repository;
use crate::oci::upload::UploadId;
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a change waits at least before it is written.
const WRITTEN_AFTER: Duration = Duration::from_millis(300);

/// All open uploads.
pub struct OpenUploads(Mutex<Table>);

#[derive(Default)]
struct Table {
    open: HashMap<UploadId, Upload>,
    // Those that have a row in the database.
    stored: HashSet<UploadId>,
    changed: HashSet<UploadId>,
    // Since when there are changes to be written.
    since: Option<Instant>,
}

/// Whether a change is the first that waits to be written, so that somebody must see to it.
#[must_use]
pub struct First(pub bool);

impl Table {
    fn change(&mut self, id: UploadId) -> First {
        self.changed.insert(id);
        let first = First(self.since.is_none());
        self.since.get_or_insert_with(Instant::now);
        first
    }

    fn close(&mut self, id: UploadId) -> Option<First> {
        self.open.remove(&id)?;
        if self.stored.contains(&id) {
            return Some(self.change(id));
        }
        self.changed.remove(&id);
        Some(First(false))
    }
}

impl OpenUploads {
    /// The uploads that the database holds.
    pub fn of(stored: impl IntoIterator<Item = Upload>) -> Self {
        let open: HashMap<_, _> = stored.into_iter().map(|upload| (upload.id, upload)).collect();
        Self(Mutex::new(Table { stored: open.keys().copied().collect(), open, ..Table::default() }))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens an upload, unless `uploads_max` are open.
    pub fn open(&self, upload: &Upload, uploads_max: u64) -> (Opened, First) {
        let mut table = self.table();
        if table.open.len() as u64 >= uploads_max {
            return (Opened::TooMany, First(false));
        }
        table.open.insert(upload.id, upload.clone());
        (Opened::Open, table.change(upload.id))
    }

    /// An open upload of this repository.
    pub fn find(&self, repository: &Repository, id: UploadId) -> Option<Upload> {
        self.table().open.get(&id).filter(|upload| upload.repository == *repository).cloned()
    }

    /// Moves on an upload that stands where `upload` says. `None`: it does not.
    pub fn extend(&self, upload: &Upload, to: Progress) -> Option<First> {
        let mut table = self.table();
        let open = table.open.get_mut(&upload.id)?;
        if open.repository != upload.repository
            || (open.offset, open.checkpoint) != (upload.offset, upload.checkpoint)
        {
            return None;
        }
        (open.offset, open.checkpoint, open.touched) = (to.offset, to.checkpoint, to.touched);
        Some(table.change(upload.id))
    }

    /// Whether an upload is open.
    pub fn is_open(&self, id: UploadId) -> bool {
        self.table().open.contains_key(&id)
    }

    /// Closes an upload. `None`: it was not open.
    pub fn close(&self, id: UploadId) -> Option<First> {
        self.table().close(id)
    }

    /// Closes an upload that stands so in every field. `None`: it does not.
    pub fn close_unchanged(&self, upload: &Upload) -> Option<First> {
        let mut table = self.table();
        (table.open.get(&upload.id)? == upload).then(|| table.close(upload.id))?
    }

    /// At most `count` uploads that were last written before `touched`.
    pub fn stale(&self, touched: u64, count: usize) -> Vec<Upload> {
        let table = self.table();
        let mut stale: Vec<_> =
            table.open.values().filter(|upload| upload.touched < touched).cloned().collect();
        stale.sort_unstable_by_key(|upload| upload.id);
        stale.truncate(count);
        stale
    }

    /// The rows to write now: those of changes that have waited long enough, or of all.
    pub fn take_changes(&self, all: bool) -> Batch {
        let mut table = self.table();
        if table.since.is_none_or(|since| !all && since.elapsed() < WRITTEN_AFTER) {
            return Batch::new();
        }
        table.since = None;
        let mut changes = Batch::new();
        for id in std::mem::take(&mut table.changed) {
            let row = table.open.get(&id).map(|upload| Bytes::from(rows::write_upload(upload)));
            if row.is_some() {
                table.stored.insert(id);
            } else {
                table.stored.remove(&id);
            }
            changes.insert(keys::upload(id), row);
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::digest::Algorithm;
    use crate::oci::upload::Checkpoint;

    fn upload() -> Upload {
        Upload {
            id: UploadId::random(),
            repository: "app".parse().unwrap(),
            algorithm: Algorithm::Sha256,
            offset: 0,
            checkpoint: None,
            touched: 7,
            owner: "user:alice".into(),
        }
    }

    #[test]
    fn one_that_is_closed_soon_is_never_written() {
        let uploads = OpenUploads::of([]);
        let upload = upload();
        assert!(uploads.open(&upload, 9).1.0, "somebody must see to the first change");
        assert!(uploads.close(upload.id).is_some());
        assert!(uploads.take_changes(true).is_empty());
    }

    #[test]
    fn one_that_lives_is_written_and_removed() {
        let uploads = OpenUploads::of([]);
        let upload = upload();
        let _ = uploads.open(&upload, 9);
        assert!(uploads.take_changes(false).is_empty(), "not yet");
        assert!(uploads.take_changes(true)[&keys::upload(upload.id)].is_some());
        let (checkpoint, touched) = (Some(Checkpoint::random()), 8);
        assert!(uploads.extend(&upload, Progress { offset: 5, checkpoint, touched }).unwrap().0);
        let moved = Upload { offset: 5, checkpoint, ..upload.clone() };
        assert!(!uploads.extend(&moved, Progress { offset: 6, checkpoint, touched }).unwrap().0);
        assert!(uploads.extend(&moved, Progress { offset: 7, checkpoint, touched }).is_none());
        assert!(uploads.close(upload.id).is_some());
        assert_eq!(uploads.take_changes(true)[&keys::upload(upload.id)], None);
        assert!(uploads.take_changes(true).is_empty());
    }
}
