//! TLS on our own port: which certificate is shown, read from files that may be replaced at any time, and the
//! handshake. It must not know what is spoken inside; certificates from an ACME server are `acme/`.
//!
//! What is asked to be encrypted is never served in the clear: a bad certificate refuses the start.

pub mod config;
pub mod files;
pub mod handshake;
pub mod pair;
pub mod shown;
