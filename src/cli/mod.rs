//! The hands: one file a command. Speaks to people; everything it does is in the rooms below.

pub mod args;
pub mod check;
pub mod import;
pub mod prepare;
pub mod rebuild;
pub mod run;
pub mod serve;
pub mod terminal;
