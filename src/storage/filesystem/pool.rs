//! Buffers for reading that are used again: making 256 KiB of zeros for each chunk costs as much as reading it
//! from the page cache.

use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// Size of a buffer in bytes.
pub const BUFFER_BYTES: usize = 256 << 10;
/// So many buffers are kept while nobody uses them.
const IDLE_MAX: usize = 64;

/// Buffers that nobody uses now.
#[derive(Default)]
pub struct Pool {
    idle: Mutex<Vec<Box<[u8]>>>,
}

/// A buffer on loan.
pub struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
    pool: Arc<Pool>,
}

impl Pool {
    /// A buffer with any content.
    pub fn buffer(self: &Arc<Self>) -> Buffer {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = idle.unwrap_or_else(|| vec![0; BUFFER_BYTES].into_boxed_slice());
        Buffer { bytes, filled: 0, pool: Arc::clone(self) }
    }
}

impl Buffer {
    /// The room for at most `length` bytes.
    pub fn room(&mut self, length: u64) -> &mut [u8] {
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.get_mut(..length).unwrap_or_default()
    }

    /// The first `filled` bytes, which go back to the pool with the last copy of the answer.
    pub fn freeze(mut self, filled: usize) -> Bytes {
        self.filled = filled;
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(std::mem::take(&mut self.bytes));
        }
    }
}
