//! The mark of completeness in PostgreSQL: one for all replicas. Which of them makes the metadata, while the others
//! wait for the mark, is a matter of a lease.

use crate::metadata::completeness::{Completeness, REBUILD};
use crate::metadata::error::Result;
use crate::metadata::postgres::columns::answer;
use crate::metadata::postgres::database::Database;
use crate::metadata::postgres::statement::Statement;

/// Whatever refers to these tables is among them.
const CLEAR: &str = "TRUNCATE holdfast.repositories, holdfast.holds, holdfast.manifests, holdfast.tags, holdfast.intents, \
    holdfast.records, holdfast.record_intents, holdfast.token_uses";

#[async_trait::async_trait]
impl Completeness for Database {
    async fn is_complete(&self) -> Result<bool> {
        answer(&self.read(Statement::new("SELECT complete FROM holdfast.registry")).await?)
    }

    async fn set_complete(&self) -> Result<()> {
        let set = Statement::new(
            "UPDATE holdfast.registry SET complete = true WHERE NOT EXISTS (SELECT FROM holdfast.leases \
                WHERE work = $1 AND holder <> $2 AND ends > clock_timestamp())",
        );
        self.write(set.bind(REBUILD).bind(self.process)).await.map(|_| ())
    }

    async fn doubt(&self) -> Result<()> {
        self.write(Statement::new("UPDATE holdfast.registry SET complete = false")).await.map(|_| ())
    }

    /// Two statements: cut off between them it is in doubt, and nothing worse.
    async fn clear(&self) -> Result<()> {
        self.doubt().await?;
        self.write(Statement::new(CLEAR)).await.map(|_| ())
    }
}
