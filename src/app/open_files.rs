//! How many files the process may have open. Each connection is one, and so is each blob that is read or written:
//! idle clients must not leave none for the disk.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Semaphore;

/// What is kept for the metadata, the log and the listener.
const KEPT: u64 = 256;

/// Raises the limit as far as the system lets us.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum && setrlimit(Resource::Nofile, raised).is_err() {
        tracing::warn!(limit = limit.current, "the limit of open files could not be raised");
    }
}

/// How many connections there may be, when each may have a blob open too.
pub fn connections(wanted: u64) -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let possible = (files.saturating_sub(KEPT) / 2).max(16);
    if possible < wanted {
        tracing::warn!(
            connections = possible,
            files,
            "fewer connections than configured: too few files may be open"
        );
    }
    usize::try_from(wanted.min(possible)).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}
