//! Open uploads on an ordered key engine: kept in memory by `open_uploads.rs`, and written behind.

use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::open_uploads::First;
use crate::metadata::error::{Error, Result};
use crate::metadata::uploads::{OWNER_BYTES_MAX, Opened, Progress, Upload, Uploads};
use crate::oci::repository::Repository;
use crate::oci::upload::UploadId;

#[async_trait::async_trait]
impl Uploads for Database {
    async fn open(&self, upload: &Upload, uploads_max: u64) -> Result<Opened> {
        if upload.owner.len() > OWNER_BYTES_MAX {
            return Err(Error::Fault(format!("an upload's owner of {} bytes", upload.owner.len())));
        }
        let (opened, first) = self.uploads.open(upload, uploads_max);
        self.see_to(&first);
        Ok(opened)
    }

    async fn find(&self, repository: &Repository, id: UploadId) -> Result<Option<Upload>> {
        Ok(self.uploads.find(repository, id))
    }

    async fn extend(&self, upload: &Upload, to: Progress) -> Result<bool> {
        let extended = self.uploads.extend(upload, to);
        Ok(extended.inspect(|first| self.see_to(first)).is_some())
    }

    async fn is_open(&self, id: UploadId) -> Result<bool> {
        Ok(self.uploads.is_open(id))
    }

    async fn close(&self, id: UploadId) -> Result<bool> {
        Ok(self.uploads.close(id).inspect(|first| self.see_to(first)).is_some())
    }

    async fn close_unchanged(&self, upload: &Upload) -> Result<bool> {
        Ok(self.uploads.close_unchanged(upload).inspect(|first| self.see_to(first)).is_some())
    }

    async fn stale(&self, touched: u64, count: usize) -> Result<Vec<Upload>> {
        Ok(self.uploads.stale(touched, count))
    }
}

impl Database {
    fn see_to(&self, first: &First) {
        if first.0 {
            self.committer.wake();
        }
    }
}
