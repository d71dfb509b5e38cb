//! Open uploads in PostgreSQL.

use crate::metadata::error::{Error, Result};
use crate::metadata::postgres::columns::{answer, column, count, number, parsed, unsigned};
use crate::metadata::postgres::database::Database;
use crate::metadata::postgres::statement::Statement;
use crate::metadata::uploads::{OWNER_BYTES_MAX, Opened, Progress, Upload, Uploads};
use crate::oci::repository::Repository;
use crate::oci::upload::{Checkpoint, UploadId};
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// An upload by its id.
pub const FIND: &str = "SELECT id, repository, algorithm, taken, checkpoint, touched, owner FROM holdfast.uploads \
    WHERE id = $1 AND repository = $2";

/// Uploads that nobody has written to for long.
pub const STALE: &str = "SELECT id, repository, algorithm, taken, checkpoint, touched, owner FROM holdfast.uploads \
    WHERE touched < $1 ORDER BY touched LIMIT $2";

fn uuid(id: UploadId) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

fn checkpoint(checkpoint: Option<Checkpoint>) -> Option<Uuid> {
    checkpoint.map(|checkpoint| checkpoint.0)
}

#[async_trait::async_trait]
impl Uploads for Database {
    async fn open(&self, upload: &Upload, uploads_max: u64) -> Result<Opened> {
        if upload.owner.len() > OWNER_BYTES_MAX {
            return Err(Error::Fault(format!("an upload's owner of {} bytes", upload.owner.len())));
        }
        let open = Statement::new("SELECT holdfast.open_upload($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(uuid(upload.id))
            .bind(upload.repository.as_str())
            .bind(upload.algorithm.as_str())
            .bind(number(upload.offset))
            .bind(checkpoint(upload.checkpoint))
            .bind(number(upload.touched))
            .bind(upload.owner.as_str())
            .bind(number(uploads_max));
        Ok(if answer(&self.write(open).await?)? { Opened::Open } else { Opened::TooMany })
    }

    async fn find(&self, repository: &Repository, id: UploadId) -> Result<Option<Upload>> {
        let asked = Statement::new(FIND).bind(uuid(id)).bind(repository.as_str());
        self.read(asked).await?.first().map(read).transpose()
    }

    async fn extend(&self, upload: &Upload, to: Progress) -> Result<bool> {
        let extend = Statement::new("SELECT holdfast.extend_upload($1, $2, $3, $4, $5, $6, $7)")
            .bind(uuid(upload.id))
            .bind(upload.repository.as_str())
            .bind(number(upload.offset))
            .bind(checkpoint(upload.checkpoint))
            .bind(number(to.offset))
            .bind(checkpoint(to.checkpoint))
            .bind(number(to.touched));
        answer(&self.write(extend).await?)
    }

    async fn close(&self, id: UploadId) -> Result<bool> {
        answer(&self.write(Statement::new("SELECT holdfast.close_upload($1)").bind(uuid(id))).await?)
    }

    async fn stale(&self, touched: u64, count_max: usize) -> Result<Vec<Upload>> {
        let asked = Statement::new(STALE).bind(number(touched)).bind(count(count_max));
        self.read(asked).await?.iter().map(read).collect()
    }
}

fn read(row: &PgRow) -> Result<Upload> {
    Ok(Upload {
        id: parsed("id", &column::<Uuid>(row, "id")?.hyphenated().to_string())?,
        repository: parsed("repository", column(row, "repository")?)?,
        algorithm: parsed("algorithm", column(row, "algorithm")?)?,
        offset: unsigned(column(row, "taken")?),
        checkpoint: column::<Option<Uuid>>(row, "checkpoint")?.map(Checkpoint),
        touched: unsigned(column(row, "touched")?),
        owner: column(row, "owner")?,
    })
}
