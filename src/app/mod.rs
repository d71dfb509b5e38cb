//! Assembly: the configuration, the parts it names, the server around them, and where the log goes.
//!
//! `build.rs` is the only file that names concrete parts. No rule lives here.

pub mod accounts;
pub mod acme;
pub mod admin;
pub mod build;
pub mod claim;
pub mod config;
pub mod connection;
pub mod first_admin;
pub mod hold;
pub mod identity;
pub mod import;
pub mod listener;
pub mod lock;
pub mod memory;
pub mod move_claims;
pub mod moving;
pub mod open_files;
pub mod opening;
pub mod reach;
pub mod reload;
pub mod server;
pub mod start;
pub mod telemetry;
pub mod tls;
