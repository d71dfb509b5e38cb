//! One statement with its values. It can be asked again where the server wants that.

use crate::metadata::error::{Error, Result};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Arguments, Encode, Postgres, Type};

/// A statement with its values.
pub struct Statement {
    sql: &'static str,
    arguments: PgArguments,
    refused: Option<String>,
}

impl Statement {
    /// A statement without values yet.
    pub fn new(sql: &'static str) -> Self {
        Self { sql, arguments: PgArguments::default(), refused: None }
    }

    /// Adds the next value: the first is `$1`.
    #[must_use]
    pub fn bind<'a>(mut self, value: impl Encode<'a, Postgres> + Type<Postgres>) -> Self {
        if let Err(error) = self.arguments.add(value) {
            self.refused.get_or_insert(error.to_string());
        }
        self
    }

    /// The query to send. A value that cannot be sent is a fault.
    pub fn query(&self) -> Result<Query<'static, Postgres, PgArguments>> {
        match &self.refused {
            Some(why) => Err(Error::Fault(format!("a value that cannot be sent: {why}"))),
            None => Ok(sqlx::query_with(self.sql, self.arguments.clone())),
        }
    }
}
