//! The hands: one file a command. Speaks to people; everything it does is in the rooms below.

pub mod accounts;
pub mod args;
pub mod check;
pub mod filter;
pub mod flags;
pub mod health;
pub mod import;
pub mod initial_password;
pub mod inspect;
pub mod inspect_text;
pub mod inspected;
pub mod listed;
pub mod ls;
pub mod move_shown;
pub mod move_to;
pub mod prepare;
pub mod rebuild;
pub mod remote;
pub mod rm;
pub mod run;
pub mod secret_input;
pub mod serve;
pub mod table;
pub mod terminal;
pub mod traffic;
