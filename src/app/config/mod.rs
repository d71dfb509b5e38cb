//! The configuration: composed of the rooms' own, read from a file, the environment and the flags, checked as
//! a whole, and explained.

pub mod check;
pub mod env;
pub mod explain;
pub mod load;
pub mod settings;
pub mod tree;
