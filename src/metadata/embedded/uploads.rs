//! Open uploads on an ordered key engine.

use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::transaction::Transaction;
use crate::metadata::embedded::{keys, rows};
use crate::metadata::error::Result;
use crate::metadata::uploads::{Opened, Upload, Uploads};
use crate::oci::repository::Repository;
use crate::oci::upload::UploadId;
use std::ops::ControlFlow;

#[async_trait::async_trait]
impl Uploads for Database {
    async fn open(&self, upload: &Upload, uploads_max: u64) -> Result<Opened> {
        let upload = upload.clone();
        self.seen(move |transaction| {
            let open = count(transaction)?;
            if open >= uploads_max {
                return Ok(Opened::TooMany);
            }
            let key = keys::upload(upload.id);
            if transaction.get(&key)?.is_none() {
                transaction.put(keys::UPLOAD_COUNT.to_vec(), (open + 1).to_le_bytes().to_vec());
            }
            transaction.put(key, rows::write_upload(&upload));
            Ok(Opened::Open)
        })
        .await
    }

    async fn find(&self, repository: &Repository, id: UploadId) -> Result<Option<Upload>> {
        let key = keys::upload(id);
        let Some(row) = self.get(&key)? else { return Ok(None) };
        let upload = rows::read(&key, &row, |row| rows::read_upload(id, row))?;
        Ok(Some(upload).filter(|upload| upload.repository == *repository))
    }

    async fn extend(&self, upload: &Upload, offset: u64, touched: u64) -> Result<bool> {
        let upload = upload.clone();
        self.seen(move |transaction| {
            let key = keys::upload(upload.id);
            let Some(row) = transaction.get(&key)? else { return Ok(false) };
            let found = rows::read(&key, &row, |row| rows::read_upload(upload.id, row))?;
            if found.repository != upload.repository || found.offset != upload.offset {
                return Ok(false);
            }
            transaction.put(key, rows::write_upload(&Upload { offset, touched, ..found }));
            Ok(true)
        })
        .await
    }

    async fn close(&self, id: UploadId) -> Result<bool> {
        self.seen(move |transaction| {
            let key = keys::upload(id);
            if transaction.get(&key)?.is_none() {
                return Ok(false);
            }
            let open = count(transaction)?.saturating_sub(1);
            transaction.remove(key);
            transaction.put(keys::UPLOAD_COUNT.to_vec(), open.to_le_bytes().to_vec());
            Ok(true)
        })
        .await
    }

    async fn stale(&self, touched: u64, count: usize) -> Result<Vec<Upload>> {
        let mut stale = Vec::new();
        self.each(keys::UPLOADS, keys::UPLOADS.to_vec(), usize::MAX, |(rest, row)| {
            if stale.len() == count {
                return Ok(ControlFlow::Break(()));
            }
            let key = [keys::UPLOADS, &rest].concat();
            let id = keys::upload_id(&rest).ok_or_else(|| rows::damaged(&key, "it names no upload"))?;
            let upload = rows::read(&key, &row, |row| rows::read_upload(id, row))?;
            if upload.touched < touched {
                stale.push(upload);
            }
            Ok(ControlFlow::Continue(()))
        })
        .await?;
        Ok(stale)
    }
}

fn count(transaction: &Transaction<'_>) -> Result<u64> {
    match transaction.get(keys::UPLOAD_COUNT)? {
        Some(row) => rows::read(keys::UPLOAD_COUNT, &row, rows::number),
        None => Ok(0),
    }
}
