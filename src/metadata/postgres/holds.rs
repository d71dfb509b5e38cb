//! Holds in PostgreSQL: two leases, one of whoever moves the registry and one of the administrators, which the functions
//! that begin a change look for.

use crate::metadata::error::Result;
use crate::metadata::holds::Holds;
use crate::metadata::leases::Leases;
use crate::metadata::postgres::columns::{answer, shelves, unsigned};
use crate::metadata::postgres::database::Database;
use crate::metadata::postgres::statement::Statement;
use std::time::Duration;

/// The lease of whoever moves the registry.
const MOVE: &str = "move";

#[async_trait::async_trait]
impl Holds for Database {
    async fn hold(&self, term: Option<Duration>) -> Result<()> {
        let hold = Statement::new("SELECT holdfast.hold($1)").bind(term.map(millis));
        self.write(hold).await.map(|_| ())
    }

    async fn begin_move(&self, term: Duration) -> Result<bool> {
        self.take(MOVE, term).await
    }

    async fn go_on(&self, term: Duration) -> Result<bool> {
        let go_on = Statement::new("SELECT holdfast.keep_lease($1, $2, $3)");
        answer(&self.write(go_on.bind(MOVE).bind(self.process).bind(millis(term))).await?)
    }

    async fn end_move(&self) -> Result<()> {
        self.give_back(MOVE).await
    }

    async fn release(&self) -> Result<()> {
        self.write(Statement::new("SELECT holdfast.release()")).await.map(|_| ())
    }

    async fn is_held(&self) -> Result<bool> {
        // Beside the requests, which may all be waiting.
        answer(&self.own.read(Statement::new("SELECT holdfast.is_held()")).await?)
    }

    async fn under_way(&self) -> Result<u64> {
        let me = self.replica.id();
        let adopt = Statement::new("SELECT holdfast.adopt($1, $2)").bind(me).bind(shelves());
        self.write(adopt).await?;
        let under_way = Statement::new("SELECT holdfast.under_way($1)").bind(me);
        answer(&self.write(under_way).await?).map(unsigned)
    }
}

fn millis(term: Duration) -> i64 {
    i64::try_from(term.as_millis()).unwrap_or(i64::MAX)
}
