//! Moving a registry: what one storage holds is carried to another one, while the first goes on serving.
//!
//! What is carried is what a name leads to: links of layers, revisions and tags with the bytes behind them, and records.
//! Bytes that no name leads to stay behind, and so do unfinished uploads and the history of tags. Bytes are hashed as they
//! flow, and those that the target has in the right size are not read again. So a round (`round.rs`) may be cut off
//! anywhere and begun anew; the one that finds nothing to do proves that both ends hold the same. Facts are made in the
//! target from what stands there. The source is only read, but for one record: its id (`marks.rs`).

pub mod blobs;
pub mod error;
pub mod facts;
pub mod marks;
pub mod names;
pub mod parts;
pub mod records;
pub mod round;
pub mod survey;
pub mod tally;
#[cfg(test)]
mod tests;
