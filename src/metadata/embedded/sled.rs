//! sled 0.34 behind the seam. The only file that names the crate, and the home of the recipe that makes it safe.
//!
//! sled's flush calls `sync_file_range`, which leaves the disk's cache and the file's size behind: after a power
//! cut acknowledged data was lost. So each durable commit is a blocking flush and then `sync_data` on a handle of
//! our own. `flush_async` deadlocks at eight concurrent calls and is never used. Values stay short (see
//! `VALUE_BYTES_MAX`), since sled never syncs its files of large pages. No iterator lives across a write. And since
//! a write that finds the disk full leaves a database that never opens again, room is taken before it is needed.

use crate::metadata::embedded::engine::{Batch, Engine, Unopened, Visit, fault, guarded, unopened};
use crate::metadata::error::{Error, Result};
use bytes::Bytes;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use sled::{Config, Db, IVec, Mode};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The file by which a sled database is known.
pub const FILE: &str = "db";
// The process takes about four times as much.
const CACHE_BYTES: u64 = 16 << 20;
// Only what no durable commit follows waits for this; the committer syncs that soon too.
const FLUSH_MS: u64 = 500;

// What is reserved behind the end of sled's file: pages are written again as a whole after some ten changes, which
// makes a batch at most 4 times as large, and segments of 512 KiB are begun before the last one is full.
const RESERVE_BYTES: u64 = 8 << 20;
const RESERVE_FACTOR: u64 = 8;
// What must be there to go on with when no more can be had.
const RESERVE_BYTES_MIN: u64 = 2 << 20;
// What must be free on the disk to open, the table of pages apart.
const OPEN_BYTES: u64 = 4 << 20;

struct Sled {
    db: Db,
    // Our own handle of sled's file, to sync what sled only hands to the kernel.
    file: File,
    reserved: Mutex<Reserved>,
}

/// What was reserved when the file had this length. sled cuts its file where it can, and the reserve with it.
#[derive(Default)]
struct Reserved {
    length: u64,
    until: u64,
}

/// Opens or makes a database in `folder`, which is there already.
pub fn open(folder: &Path) -> std::result::Result<Box<dyn Engine>, Unopened> {
    if !has_room(folder).map_err(|error| unopened(&error))? {
        return Err(Unopened::Fault(Error::Full));
    }
    let open = || {
        Config::default()
            .path(folder)
            .mode(Mode::HighThroughput)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(Some(FLUSH_MS))
            .use_compression(false)
            .open()
    };
    let db = match guarded(open) {
        Ok(Ok(db)) => db,
        // sled tells a lock that somebody else holds by this text alone.
        Ok(Err(::sled::Error::Io(error))) if error.to_string().contains("could not acquire lock") => {
            return Err(Unopened::InUse);
        }
        Ok(Err(::sled::Error::Io(error))) => return Err(unopened(&error)),
        Ok(Err(error)) => return Err(Unopened::Broken(error.to_string())),
        Err(panic) => return Err(Unopened::Broken(panic)),
    };
    let file = File::options().write(true).open(folder.join(FILE));
    let file = file.map_err(|error| Unopened::Fault(fault(&error)))?;
    Ok(Box::new(Sled { db, file, reserved: Mutex::default() }))
}

/// Whether sled can open without meeting the end of the disk, which it does not survive: it repairs its last segment,
/// and writes its table of pages anew beside the old one.
fn has_room(folder: &Path) -> io::Result<bool> {
    let mut needed = OPEN_BYTES;
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            needed += 2 * entry.metadata()?.len();
        }
    }
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize) >= needed)
}

fn call<T>(work: impl FnOnce() -> ::sled::Result<T>) -> Result<T> {
    match guarded(work) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(::sled::Error::Io(error))) => Err(fault(&error)),
        Ok(Err(error @ (::sled::Error::Corruption { .. } | ::sled::Error::ReportableBug(_)))) => {
            Err(Error::Damaged(error.to_string()))
        }
        Ok(Err(error)) => Err(Error::Fault(error.to_string())),
        Err(panic) => Err(Error::Fault(panic)),
    }
}

fn bytes(value: IVec) -> Bytes {
    Bytes::from_owner(value)
}

impl Engine for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(call(|| self.db.get(key))?.map(bytes))
    }

    fn scan(&self, from: &[u8], until: &[u8], visit: Visit<'_>) -> Result<()> {
        call(|| {
            for row in self.db.range(from..until) {
                let (key, value) = row?;
                if visit(&key, &value).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn reserve(&self, batch: &Batch) -> Result<()> {
        let row = |(key, value): (&Vec<u8>, &Option<Bytes>)| key.len() + value.as_ref().map_or(0, Bytes::len);
        let needed = RESERVE_FACTOR * batch.iter().map(row).sum::<usize>() as u64;
        let length = self.file.metadata().map_err(|error| fault(&error))?.len();
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        if length < reserved.length {
            reserved.until = length;
        }
        reserved.length = length;
        if reserved.until >= length + RESERVE_BYTES + needed {
            return Ok(());
        }
        // Twice as much as has to be there, so that not every batch asks for more.
        let until = length + 2 * (RESERVE_BYTES + needed);
        match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, length, until - length) {
            Ok(()) => reserved.until = until,
            // Not every filesystem can; then sled takes its chance.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => (),
            // What removes something may still need what is left of the reserve.
            Err(_) if reserved.until >= length + RESERVE_BYTES_MIN + needed => (),
            Err(error) => return Err(fault(&error.into())),
        }
        Ok(())
    }

    fn commit(&self, batch: &Batch, durable: bool) -> Result<()> {
        if !batch.is_empty() {
            let mut rows = ::sled::Batch::default();
            for (key, value) in batch {
                match value {
                    Some(value) => rows.insert(key.as_slice(), value.as_ref()),
                    None => rows.remove(key.as_slice()),
                }
            }
            call(|| self.db.apply_batch(rows))?;
        }
        if durable {
            call(|| self.db.flush())?;
            self.file.sync_data().map_err(|error| fault(&error))?;
        }
        Ok(())
    }
    fn rest(&self) -> Result<()> {
        self.commit(&Batch::new(), true)
    }
}
