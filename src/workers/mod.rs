//! The back door: the same rules, called by a clock.

pub mod audit;
pub mod claim;
pub mod follow;
pub mod lease;
pub mod purge;
pub mod settle;
pub mod stand_still;
pub mod tend;
