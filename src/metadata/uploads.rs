//! Open uploads. They may be lost without harm: the client begins again.

use crate::metadata::error::Result;
use crate::oci::digest::Algorithm;
use crate::oci::repository::Repository;
use crate::oci::upload::{Checkpoint, UploadId};

/// An upload session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Where the blob goes.
    pub repository: Repository,
    /// What its bytes are hashed with as they come.
    pub algorithm: Algorithm,
    /// Bytes that were taken.
    pub offset: u64,
    /// What storage keeps of it.
    pub checkpoint: Option<Checkpoint>,
    /// When it was last written, in seconds since the Unix epoch.
    pub touched: u64,
    /// The account that opened it, in the words of whoever hands it in; empty where there are no accounts. At most
    /// `OWNER_BYTES_MAX` bytes.
    pub owner: String,
}

/// How far an upload has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that were taken.
    pub offset: u64,
    /// What storage keeps of it.
    pub checkpoint: Option<Checkpoint>,
    /// When, in seconds since the Unix epoch.
    pub touched: u64,
}

/// Longest owner of an upload.
pub const OWNER_BYTES_MAX: usize = 512;

/// What became of a new upload.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open.
    Open,
    /// There are as many as allowed.
    TooMany,
}

/// The facts about open uploads. Seen by all at once, but durable only with the next durable transaction, or
/// within a second: a kill may set an upload back to an earlier offset.
#[async_trait::async_trait]
pub trait Uploads: Send + Sync {
    /// Opens an upload, unless `uploads_max` are open.
    async fn open(&self, upload: &Upload, uploads_max: u64) -> Result<Opened>;

    /// An open upload of this repository.
    async fn find(&self, repository: &Repository, id: UploadId) -> Result<Option<Upload>>;

    /// Moves an upload on, if it stands still at the offset and the checkpoint of `upload`. False: it does not.
    async fn extend(&self, upload: &Upload, to: Progress) -> Result<bool>;

    /// Whether an upload is open, in whatever repository.
    async fn is_open(&self, id: UploadId) -> Result<bool>;

    /// Closes an upload. False: it was not open.
    async fn close(&self, id: UploadId) -> Result<bool>;

    /// Closes an upload if it still stands so, `touched` included. False: it does not.
    async fn close_unchanged(&self, upload: &Upload) -> Result<bool>;

    /// At most `count` uploads that were last written before `touched`.
    async fn stale(&self, touched: u64, count: usize) -> Result<Vec<Upload>>;
}
