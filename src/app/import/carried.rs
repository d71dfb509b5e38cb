//! What an import gives when it is not refused.

use crate::app::config::tree::Mistake;
use crate::app::import::report::Remark;

/// Largest file that is read, in bytes. Configurations are a thousand times smaller.
pub const FILE_BYTES_MAX: u64 = 4 << 20;

/// A configuration that was carried over.
#[derive(Debug)]
pub struct Carried {
    /// The configuration of Holdfast, as TOML with comments.
    pub toml: String,
    /// Whether secrets stand in it: hashes of passwords, or the key of a bucket.
    pub secret: bool,
    /// What could not be carried, and every trap that was met.
    pub remarks: Vec<Remark>,
}

/// What was carried, or every mistake that stands against it.
pub type Outcome = Result<Carried, Vec<Mistake>>;
