//! The parts of uploads into a bucket, held together. What they do is in `calls.rs`.

use crate::storage::object::bucket::Bucket;
use crate::storage::object::uploads::memory::Pool;
use crate::storage::object::uploads::objects::Objects;
use crate::storage::object::uploads::trust::Trust;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// So many parts the bucket copies at once, for all uploads of a process.
const COPYING: usize = 24;

/// How uploads use the bucket and the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of a part. S3 takes no fewer than 5 MiB, and 10,000 parts of an object.
    pub part_bytes: u64,
    /// Bytes of memory for all uploads together.
    pub buffer_bytes: u64,
    /// So many bytes the bucket copies in one call, at most. S3: 5 GiB. 0 where a copy may go on behind its answer.
    pub copy_bytes_max: u64,
    /// What is larger than so many bytes the bucket copies part by part, if it knows how.
    pub part_copies_above_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            part_bytes: 12 << 20,
            buffer_bytes: 64 << 20,
            copy_bytes_max: 5 << 30,
            part_copies_above_bytes: 64 << 20,
        }
    }
}

/// Uploads into a bucket.
pub struct Uploads {
    /// How.
    pub settings: Settings,
    /// The bucket, and what is remembered of it.
    pub objects: Arc<Objects>,
    /// Memory for the first bytes of each part: a little for each upload. Whoever waits here holds nothing.
    pub small: Arc<Pool>,
    /// Memory for whole parts. Whoever waits here holds at most a little of the other: so nobody waits in a circle.
    pub large: Arc<Pool>,
    /// Turns at parts that the bucket copies.
    pub copying: Semaphore,
    /// Whether the bucket's copies of parts can be trusted.
    pub trust: Trust,
}

impl Uploads {
    /// Uploads into this bucket.
    pub fn new(bucket: Bucket, settings: Settings) -> Self {
        let eighth = settings.buffer_bytes / 8;
        // One part must fit, whatever is configured.
        let large = settings.part_bytes.max(6 * eighth);
        Self {
            settings,
            objects: Arc::new(Objects::new(bucket, eighth)),
            small: Pool::new(eighth.max(1 << 20)),
            large: Pool::new(large),
            copying: Semaphore::new(COPYING),
            trust: Trust::default(),
        }
    }
}
