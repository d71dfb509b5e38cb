//! The back door: the same rules, called by a clock.

pub mod purge;
