//! The front door: HTTP in, HTTP out, nothing decided here.
//!
//! A request becomes a value (`v2/route.rs`), a rule of `registry/` answers it, and `error.rs` is the one
//! table from refusals and failures to statuses and codes.

pub mod api;
pub mod body;
pub mod challenge;
pub mod credentials;
pub mod cursor;
pub mod error;
pub mod form;
pub mod guard;
pub mod headers;
pub mod observe;
pub mod ops;
pub mod origin;
pub mod peer;
pub mod protect;
pub mod router;
pub mod state;
pub mod token;
pub mod v2;
pub mod watch;
