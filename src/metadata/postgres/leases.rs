//! Leases by the clock of PostgreSQL.

use crate::metadata::error::Result;
use crate::metadata::leases::Leases;
use crate::metadata::postgres::columns::answer;
use crate::metadata::postgres::database::Database;
use crate::metadata::postgres::statement::Statement;
use std::time::Duration;

#[async_trait::async_trait]
impl Leases for Database {
    async fn take(&self, work: &str, term: Duration) -> Result<bool> {
        let millis = i64::try_from(term.as_millis()).unwrap_or(i64::MAX);
        let take = Statement::new("SELECT holdfast.take_lease($1, $2, $3)");
        answer(&self.write(take.bind(work).bind(self.process).bind(millis)).await?)
    }

    async fn give_back(&self, work: &str) -> Result<()> {
        let give_back = Statement::new("DELETE FROM holdfast.leases WHERE work = $1 AND holder = $2");
        self.write(give_back.bind(work).bind(self.process)).await.map(|_| ())
    }
}
