//! Records of accounts in PostgreSQL.
//!
//! A record that is about to change has a row in `record_intents`, one for all replicas: so two of them never change one
//! name at the same time. A change that was begun ends only if the row is still this process's; one that was not begun
//! here, because storage is read back, ends unless another process has the name under its hands.

use crate::metadata::accounts::Accounts;
use crate::metadata::error::{Error, Result};
use crate::metadata::intents::Begun;
use crate::metadata::postgres::columns::{
    answer, column, count, damaged, last, number, shelf_and_name, shelves, unsigned,
};
use crate::metadata::postgres::connections::Connections;
use crate::metadata::postgres::database::Database;
use crate::metadata::postgres::intents::Beginning;
use crate::metadata::postgres::statement::Statement;
use crate::oci::page::{Listed, Page};
use crate::record::{NAME_BYTES_MAX, Record, Shelf};
use sqlx::postgres::PgRow;
use std::sync::PoisonError;
use uuid::Uuid;

/// About so many bytes of records are listed at once.
const LISTED_BYTES: i64 = 4 << 20;

/// A record by its name.
pub const FIND: &str =
    "SELECT name, version::text, document FROM holdfast.records WHERE shelf = $1 AND name = $2";

/// A page of records: as many as fit, and whether others follow the last.
pub const LIST: &str = "SELECT name, version::text, document, followed FROM (\
        SELECT name, version, document, \
            sum(octet_length(document)) OVER (ORDER BY name) - octet_length(document) AS bytes_before, \
            lead(name) OVER (ORDER BY name) IS NOT NULL AS followed, \
            row_number() OVER (ORDER BY name) AS place \
        FROM (SELECT name, version, document FROM holdfast.records WHERE shelf = $1 AND name > $2 \
            ORDER BY name LIMIT $3 + 1) AS page) AS page \
    WHERE bytes_before < $4 AND place <= $3 ORDER BY name";

/// When a token was last used.
pub const LAST_USED: &str = "SELECT used FROM holdfast.token_uses WHERE shelf = 'tokens' AND name = $1";

#[async_trait::async_trait]
impl Accounts for Database {
    async fn find(&self, shelf: Shelf, name: &str) -> Result<Option<Record>> {
        find(&self.connections, shelf, name).await
    }

    async fn list(&self, shelf: Shelf, page: &Page) -> Result<Listed<(String, Record)>> {
        list(&self.connections, shelf, page).await
    }

    async fn begin(&self, shelf: Shelf, name: &str) -> Result<Begun> {
        const TRIES: usize = 3;
        demand_name(shelf, name)?;
        for _ in 0..TRIES {
            let me = self.replica.id();
            let begin = Statement::new("SELECT holdfast.begin_record($1, $2, $3)");
            let begin = begin.bind(shelf.as_str()).bind(name).bind(me);
            match Beginning::read(&self.write(begin).await?)? {
                Beginning::Stands => {
                    self.note_change(shelf, name, Some(me));
                    return Ok(Begun::Stands);
                }
                Beginning::InTheWay => return Ok(Begun::InTheWay),
                Beginning::Held => return Ok(Begun::Held),
                Beginning::Lapsed => self.replica.beat().await?,
            }
        }
        Err(Error::Unreachable("the lease of this replica ends as soon as it is renewed".into()))
    }

    async fn keep(&self, shelf: Shelf, name: &str, record: Record) -> Result<()> {
        demand_name(shelf, name)?;
        let keep = Statement::new("SELECT holdfast.keep_record($1, $2, $3::text::numeric, $4, $5, $6, $7)")
            .bind(shelf.as_str())
            .bind(name)
            .bind(record.version.to_string())
            .bind(record.json.as_ref());
        self.end_change(shelf, name, keep).await
    }

    async fn forget(&self, shelf: Shelf, name: &str) -> Result<()> {
        demand_name(shelf, name)?;
        let forget = Statement::new("SELECT holdfast.forget_record($1, $2, $3, $4, $5)");
        self.end_change(shelf, name, forget.bind(shelf.as_str()).bind(name)).await
    }

    async fn pending(&self, count_max: usize) -> Result<Vec<(Shelf, String)>> {
        let asked = Statement::new("SELECT shelf, name FROM holdfast.pending_records($1, $2, $3)")
            .bind(self.replica.id())
            .bind(shelves())
            .bind(count(count_max));
        self.write(asked).await?.iter().filter_map(|row| shelf_and_name(row).transpose()).collect()
    }

    async fn used(&self, uses: &[(String, u64)]) -> Result<()> {
        let uses = uses.iter().filter(|(token, _)| is_record_name(token));
        let (names, times): (Vec<&str>, Vec<i64>) =
            uses.map(|(token, used)| (token.as_str(), number(*used))).unzip();
        if names.is_empty() {
            return Ok(());
        }
        let used = Statement::new("SELECT holdfast.use_tokens($1, $2)").bind(names).bind(times);
        self.write(used).await.map(|_| ())
    }

    async fn last_used(&self, token: &str) -> Result<Option<u64>> {
        if !is_record_name(token) {
            return Ok(None);
        }
        let rows = self.read(Statement::new(LAST_USED).bind(token)).await?;
        rows.first().map(|row| column(row, "used").map(unsigned)).transpose()
    }
}

impl Database {
    /// Remembers as whom a change was begun; `None`: it ends. Answers what was remembered.
    fn note_change(&self, shelf: Shelf, name: &str, begun_by: Option<Uuid>) -> Option<Uuid> {
        let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (shelf, name.to_owned());
        match begun_by {
            Some(id) => changing.insert(key, id),
            None => changing.remove(&key),
        }
    }

    /// Sends the end of a change. Whatever comes of it, a second try is not held to what was begun.
    async fn end_change(&self, shelf: Shelf, name: &str, end: Statement) -> Result<()> {
        let begun_by = self.note_change(shelf, name, None);
        let end = end.bind(begun_by).bind(self.replica.id()).bind(self.process);
        if answer(&self.write(end).await?)? { Ok(()) } else { Err(Error::Overtaken) }
    }
}

/// A record, over these connections.
pub async fn find(connections: &Connections, shelf: Shelf, name: &str) -> Result<Option<Record>> {
    if !is_record_name(name) {
        return Ok(None);
    }
    let rows = connections.read(Statement::new(FIND).bind(shelf.as_str()).bind(name)).await?;
    rows.first().map(|row| named(row).map(|(_, record)| record)).transpose()
}

/// A page of records, over these connections.
pub async fn list(connections: &Connections, shelf: Shelf, page: &Page) -> Result<Listed<(String, Record)>> {
    let asked = Statement::new(LIST)
        .bind(shelf.as_str())
        .bind(last(page.last.as_deref()))
        .bind(count(page.entries_max).min(i64::MAX - 1))
        .bind(LISTED_BYTES);
    let rows = connections.read(asked).await?;
    let more = rows.last().map(|row| column(row, "followed")).transpose()?.unwrap_or(false);
    Ok(Listed { entries: rows.iter().map(named).collect::<Result<_>>()?, more })
}

fn is_record_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains('\0')
}

fn demand_name(shelf: Shelf, name: &str) -> Result<()> {
    if is_record_name(name) {
        return Ok(());
    }
    Err(Error::Fault(format!("a name of {} bytes on the shelf of {}", name.len(), shelf.as_str())))
}

fn named(row: &PgRow) -> Result<(String, Record)> {
    let version = column::<&str>(row, "version")?.parse().map_err(|_| damaged("version"))?;
    let document: Vec<u8> = column(row, "document")?;
    Ok((column(row, "name")?, Record { version, json: document.into() }))
}
