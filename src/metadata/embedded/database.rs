//! The embedded metadata: one folder, its reads, and the thread that writes it. What the rows mean stands in the
//! files that are named like the traits.
//!
//! Reads run where they are called, on the caller's async thread: a row is a matter of a microsecond or two, and a
//! hop to another thread costs more than that. Long scans go step by step and let others run between two steps.

use crate::metadata::config;
use crate::metadata::embedded::committer::{Committer, Promise};
use crate::metadata::embedded::folder::Folder;
use crate::metadata::embedded::left_over::LeftOver;
use crate::metadata::embedded::open_uploads::OpenUploads;
use crate::metadata::embedded::transaction::Transaction;
use crate::metadata::embedded::{keys, rows};
use crate::metadata::error::Result;
use crate::metadata::uploads::Upload;
use bytes::Bytes;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows that are read between two breaths.
const STEP_ROWS: usize = 256;

/// A row: what follows its prefix in its key, and its value.
pub type Row = (Vec<u8>, Bytes);

/// Open embedded metadata. When it is dropped, all that was written is durable.
pub struct Database {
    // Above the folder: the thread ends before the engine is closed.
    pub(in crate::metadata::embedded) committer: Committer,
    pub(in crate::metadata::embedded) uploads: Arc<OpenUploads>,
    pub(in crate::metadata::embedded) left_over: LeftOver,
    folder: Arc<Folder>,
}

impl Database {
    /// Opens the database of a folder or makes a new one. Answers also where a database went that did not open;
    /// `unix_secs` becomes a part of its name.
    pub fn open(engine: config::Engine, folder: &Path, unix_secs: u64) -> Result<(Self, Option<PathBuf>)> {
        let (folder, moved_aside) = Folder::open(engine, folder, unix_secs)?;
        let folder = Arc::new(folder);
        let uploads = Arc::new(OpenUploads::of(stored_uploads(&folder)?));
        let left_over = folder.with(LeftOver::of)?;
        let later = Arc::clone(&uploads);
        let committer = Committer::start(Arc::clone(&folder), Box::new(move |all| later.take_changes(all)))?;
        Ok((Self { committer, uploads, left_over, folder }, moved_aside))
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.folder.with(|engine| engine.get(key))
    }

    /// Hands the rows whose keys begin with `prefix`, from `from` on, to `take`, until it breaks off; about `wanted`
    /// of them will do.
    pub async fn each(
        &self,
        prefix: &[u8],
        mut from: Vec<u8>,
        wanted: usize,
        mut take: impl FnMut(Row) -> Result<ControlFlow<()>> + Send,
    ) -> Result<()> {
        let step = wanted.clamp(1, STEP_ROWS);
        loop {
            let rows = self.step(prefix, &from, step)?;
            let last = rows.last().filter(|_| rows.len() == step).map(|(rest, _)| [prefix, rest].concat());
            for row in rows {
                if take(row)?.is_break() {
                    return Ok(());
                }
            }
            let Some(last) = last else { return Ok(()) };
            from = keys::next(last);
            tokio::task::yield_now().await;
        }
    }

    fn step(&self, prefix: &[u8], from: &[u8], step: usize) -> Result<Vec<Row>> {
        let until = keys::after(prefix);
        let mut rows = Vec::new();
        if from >= until.as_slice() {
            return Ok(rows);
        }
        let mut take = |key: &[u8], value: &[u8]| {
            rows.push((key.get(prefix.len()..).unwrap_or_default().to_vec(), Bytes::copy_from_slice(value)));
            if rows.len() == step { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        self.folder.with(|engine| engine.scan(from, &until, &mut take))?;
        Ok(rows)
    }

    /// Runs an operation that is durable when this returns.
    pub async fn durable<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.committer.run(Promise::Durable, 0, operation).await
    }

    /// The same, for one that holds that many bytes.
    pub async fn durable_of<T: Send + 'static>(
        &self,
        bytes: usize,
        operation: impl FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.committer.run(Promise::Durable, bytes, operation).await
    }

    /// Runs an operation that all see when this returns, and that is durable within a second, or with the next
    /// durable one.
    pub async fn seen<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.committer.run(Promise::Seen, 0, operation).await
    }

    /// The same, for one that holds that many bytes.
    pub async fn seen_of<T: Send + 'static>(
        &self,
        bytes: usize,
        operation: impl FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.committer.run(Promise::Seen, bytes, operation).await
    }
}

/// The uploads that the last run left open. A row that does not read is left out: the client begins again.
fn stored_uploads(folder: &Folder) -> Result<Vec<Upload>> {
    let mut uploads = Vec::new();
    let until = keys::after(keys::UPLOADS);
    let mut take = |key: &[u8], row: &[u8]| {
        let id = key.get(keys::UPLOADS.len()..).and_then(keys::upload_id);
        uploads.extend(id.and_then(|id| rows::read_upload(id, row)));
        ControlFlow::Continue(())
    };
    folder.with(|engine| engine.scan(keys::UPLOADS, &until, &mut take))?;
    Ok(uploads)
}
