//! What happened, told to whoever listens: the log and the audit trail. Telling never blocks and never fails a
//! request. Knows nothing of who tells and who listens.

pub mod event;
pub mod queue;
pub mod sink;
