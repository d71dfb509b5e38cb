//! The back door: the same rules, called by a clock.

pub mod audit;
pub mod purge;
pub mod stand_still;
pub mod tend;
