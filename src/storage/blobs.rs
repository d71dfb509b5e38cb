//! The trait of bytes by digest, and of uploads on their way to become that.

use crate::oci::digest::{Algorithm, Digest};
use crate::oci::upload::{Checkpoint, UploadId};
use crate::storage::error::Result;
use crate::stream::ByteStream;
use bytes::Bytes;
use std::io;
use std::time::Duration;

/// Bytes of a blob.
pub struct Blob {
    /// Size of the whole blob in bytes.
    pub size: u64,
    /// The bytes that were asked for.
    pub bytes: ByteStream,
}

/// Where the next bytes of an upload go.
#[derive(Debug, Clone, Copy)]
pub struct Staging {
    /// The upload.
    pub upload: UploadId,
    /// How many bytes of it were taken before: the new ones follow. Whatever is staged beyond is dropped.
    pub offset: u64,
    /// What is likely to name the blob. Another one costs a second reading when it is sealed.
    pub algorithm: Algorithm,
    /// What the last call that moved the upload has answered; `None` before the first.
    pub checkpoint: Option<Checkpoint>,
    /// What the blob is said to become, if that is known before its bytes: they may then go to its place at once, to
    /// show there when they are sealed.
    pub known: Option<Digest>,
    /// How often it has to show in storage itself that somebody is at it: where no other process is told so by metadata,
    /// and would take it for left behind.
    pub shown_each: Option<Duration>,
}

/// What became of a body.
#[derive(Debug)]
pub struct Staged {
    /// Bytes of the upload that are staged now, from its beginning.
    pub size: u64,
    /// Why the body ended before its end, if it did. The bytes before are staged.
    pub cut: Option<io::Error>,
    /// What to hand in with the next call for this upload, in whichever process that is. `None` where the upload's own
    /// name is enough.
    pub checkpoint: Option<Checkpoint>,
}

/// What became of a finished upload.
#[derive(Debug, PartialEq, Eq)]
pub enum Sealed {
    /// The bytes stand under their digest.
    Stored {
        /// Their size in bytes.
        size: u64,
    },
    /// They are other bytes than was said. They are still staged.
    Mismatch {
        /// What they are.
        actual: Digest,
    },
}

/// Bytes by digest. Every backend passes `contract.rs`.
///
/// A digest either has all of its bytes or none: a torn write never shows under it.
#[async_trait::async_trait]
pub trait Blobs: Send + Sync {
    /// Size of the blob in bytes.
    async fn stat(&self, digest: &Digest) -> Result<Option<u64>>;

    /// `length` bytes from `offset` on, both clipped to the blob's end.
    async fn read(&self, digest: &Digest, offset: u64, length: u64) -> Result<Option<Blob>>;

    /// A URL where anybody may read the blob for some minutes, without asking us; `None` where storage gives none. Says
    /// nothing of whether the blob is there.
    async fn signed_url(&self, digest: &Digest) -> Result<Option<String>> {
        let _ = digest;
        Ok(None)
    }

    /// Takes bytes of an upload. One call at a time for each upload in a process; of two in two processes both may
    /// succeed, and the one whose checkpoint is recorded counts. Staged bytes outlive the process, though
    /// not a power cut: `Error::StagedLost` if some before `staging.offset` are gone. If they cannot be written,
    /// what was staged before stays.
    async fn stage(&self, staging: Staging, body: ByteStream) -> Result<Staged>;

    /// Puts what was staged (`staging.offset` bytes) under `digest`, if it is that. The bytes are durable
    /// before they show there; that they show is durable when the next `Links::record` returns, so nobody is
    /// told of a blob before it has a link. The same blob may be there already, or arrive at the same time.
    /// After an error nothing may be staged any more.
    async fn seal(&self, staging: Staging, digest: &Digest) -> Result<Sealed>;

    /// Puts bytes in memory under their digest: `stage` and `seal` for what is small, and as durable as `seal`
    /// makes it. The caller answers for the digest being right.
    async fn put(&self, digest: &Digest, bytes: Bytes) -> Result<()>;

    /// Drops what was staged of an upload, if anything.
    async fn discard(&self, upload: UploadId) -> Result<()>;

    /// Uploads that have staged bytes and were last written before `unix_secs`.
    async fn staged_before(&self, unix_secs: u64) -> Result<Vec<UploadId>>;
}
