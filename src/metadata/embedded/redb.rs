//! redb 4 behind the seam. The only file that names the crate.
//!
//! After a kill redb walks the whole database, unless the last commit saved the allocator's state ("quick repair").
//! That costs a second sync and half as much work again, so it is done when the database comes to rest: a kill in
//! the middle of work costs some 2 ms for each MiB at the next start, any other next to nothing. Reads use one table
//! of the last commit that is kept open: to begin a transaction for each read would cost more than the read.

use crate::metadata::embedded::engine::{Batch, Engine, Unopened, Visit, fault, guarded, unopened};
use crate::metadata::error::{Error, Result};
use bytes::Bytes;
use redb::{Builder, Database, DatabaseError, Durability, ReadOnlyTable, ReadableDatabase, StorageError};
use redb::{TableDefinition, WriteTransaction};
use std::path::Path;
use std::sync::{PoisonError, RwLock};

/// The file by which a redb database is known.
pub const FILE: &str = "facts.redb";
const CACHE_BYTES: usize = 16 << 20;
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

struct Redb {
    // Above the database: what it reads from must be gone when the database closes.
    last: RwLock<Rows>,
    db: Database,
}

/// Opens or makes a database in `folder`, which is there already.
pub fn open(folder: &Path) -> std::result::Result<Box<dyn Engine>, Unopened> {
    let broken = |error: redb::Error| match told(error) {
        Error::Damaged(why) => Unopened::Broken(why),
        error => Unopened::Fault(error),
    };
    let open = || Builder::new().set_cache_size(CACHE_BYTES).create(folder.join(FILE));
    let db = match guarded(open) {
        Ok(Ok(db)) => db,
        Ok(Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch)) => {
            return Err(Unopened::InUse);
        }
        Ok(Err(DatabaseError::Storage(StorageError::Io(error)))) => return Err(unopened(&error)),
        Ok(Err(error)) => return Err(Unopened::Broken(error.to_string())),
        Err(panic) => return Err(Unopened::Broken(panic)),
    };
    let opened = guarded(|| {
        if latest(&db).is_err() {
            let transaction = begin(&db, Durability::Immediate)?;
            transaction.open_table(ROWS)?;
            transaction.commit()?;
        }
        latest(&db)
    });
    match opened {
        Ok(Ok(rows)) => Ok(Box::new(Redb { last: RwLock::new(rows), db })),
        Ok(Err(error)) => Err(broken(error)),
        Err(panic) => Err(Unopened::Broken(panic)),
    }
}

fn begin(db: &Database, durability: Durability) -> std::result::Result<WriteTransaction, redb::Error> {
    let mut transaction = db.begin_write()?;
    transaction.set_durability(durability)?;
    Ok(transaction)
}

fn latest(db: &Database) -> std::result::Result<Rows, redb::Error> {
    Ok(db.begin_read()?.open_table(ROWS)?)
}

fn told(error: redb::Error) -> Error {
    match error {
        redb::Error::Io(error) => fault(&error),
        redb::Error::Corrupted(_) | redb::Error::TableTypeMismatch { .. } => {
            Error::Damaged(error.to_string())
        }
        error => Error::Fault(error.to_string()),
    }
}

fn call<T>(work: impl FnOnce() -> std::result::Result<T, redb::Error>) -> Result<T> {
    match guarded(work) {
        Ok(answer) => answer.map_err(told),
        Err(panic) => Err(Error::Fault(panic)),
    }
}

impl Engine for Redb {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        call(|| Ok(last.get(key)?.map(|value| Bytes::copy_from_slice(value.value()))))
    }

    fn scan(&self, from: &[u8], until: &[u8], visit: Visit<'_>) -> Result<()> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        call(|| {
            for row in last.range::<&[u8]>(from..until)? {
                let (key, value) = row?;
                if visit(key.value(), value.value()).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Nothing to do: after a commit that finds no room redb opens again as it was before.
    fn reserve(&self, _: &Batch) -> Result<()> {
        Ok(())
    }

    fn commit(&self, batch: &Batch, durable: bool) -> Result<()> {
        let rows = call(|| {
            let transaction =
                begin(&self.db, if durable { Durability::Immediate } else { Durability::None })?;
            {
                let mut table = transaction.open_table(ROWS)?;
                for (key, value) in batch {
                    match value {
                        Some(value) => drop(table.insert(key.as_slice(), value.as_ref())?),
                        None => drop(table.remove(key.as_slice())?),
                    }
                }
            }
            transaction.commit()?;
            latest(&self.db)
        })?;
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = rows;
        Ok(())
    }
    fn rest(&self) -> Result<()> {
        call(|| {
            let mut transaction = begin(&self.db, Durability::Immediate)?;
            transaction.set_quick_repair(true);
            Ok(transaction.commit()?)
        })
    }
}
