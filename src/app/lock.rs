//! One process to a data folder. Two would both believe that they own the metadata.

use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io;
use std::path::Path;

/// The data folder is ours until this is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct DataLock(#[allow(dead_code)] File); // its being open is the lock

/// Makes the data folder if it is not there, and locks it. `WouldBlock`: another process has it.
pub fn lock(data: &Path) -> io::Result<DataLock> {
    std::fs::create_dir_all(data)?;
    let file = File::options().create(true).truncate(false).write(true).open(data.join("lock"))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(DataLock(file))
}
