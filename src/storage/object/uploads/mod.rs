//! Uploads on their way into a bucket. All that a client was told is taken stands in the bucket, so that any process goes
//! on with it, also when the first has just died: parts of a multipart upload, and behind them pieces that do not fill a
//! part yet. A checkpoint is the object that says which, and where the hash stands.
//!
//! Two processes may write to one upload. Neither touches what the other's checkpoint speaks of: pieces and
//! multipart uploads have random names and are never written twice. Only the slots behind the last part are shared; what
//! was overwritten there has another tag, so that the upload can no longer be completed: it is lost, never wrong.

pub mod alive;
pub mod calls;
pub mod checkpoint;
pub mod copy;
#[cfg(test)]
mod fake;
pub mod gathered;
pub mod hashing;
pub mod load;
pub mod memory;
pub mod multipart;
pub mod objects;
pub mod seal;
pub mod store;
pub mod sweep;
#[cfg(test)]
mod tests;
pub mod trust;
pub mod writer;
