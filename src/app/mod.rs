//! Assembly: the configuration, the parts it names, the server around them, and where the log goes.
//!
//! `build.rs` is the only file that names concrete parts. No rule lives here.

pub mod build;
pub mod config;
pub mod connection;
pub mod import;
pub mod lock;
pub mod memory;
pub mod open_files;
pub mod server;
pub mod start;
pub mod telemetry;
