//! Signing keys in PostgreSQL.

use crate::metadata::error::{Error, Result};
use crate::metadata::postgres::columns::{answer, before_nul, column, number, unsigned};
use crate::metadata::postgres::database::Database;
use crate::metadata::postgres::statement::Statement;
use crate::metadata::signing_keys::{SigningKey, SigningKeys};
use crate::secret::Secret;
use sqlx::postgres::PgRow;

/// Longest id.
const ID_BYTES_MAX: usize = 256;

#[async_trait::async_trait]
impl SigningKeys for Database {
    async fn all(&self) -> Result<Vec<SigningKey>> {
        let asked = "SELECT id, algorithm, pem, created FROM holdfast.signing_keys ORDER BY created, id";
        self.read(Statement::new(asked)).await?.iter().map(read).collect()
    }

    async fn add(&self, key: &SigningKey, since: u64) -> Result<bool> {
        let SigningKey { id, algorithm, pem, created } = key;
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return Err(Error::Fault(format!("a signing key with an id of {} bytes", id.len())));
        }
        let add = Statement::new("SELECT holdfast.add_signing_key($1, $2, $3, $4, $5)")
            .bind(id.as_str())
            .bind(algorithm.as_str())
            .bind(pem.expose())
            .bind(number(*created))
            .bind(number(since));
        answer(&self.write(add).await?)
    }

    async fn remove(&self, id: &str) -> Result<()> {
        let remove = Statement::new("DELETE FROM holdfast.signing_keys WHERE id = $1");
        self.write(remove.bind(before_nul(id))).await.map(|_| ())
    }
}

fn read(row: &PgRow) -> Result<SigningKey> {
    Ok(SigningKey {
        id: column(row, "id")?,
        algorithm: column(row, "algorithm")?,
        pem: Secret::new(column::<String>(row, "pem")?),
        created: unsigned(column(row, "created")?),
    })
}
