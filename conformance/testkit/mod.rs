//! What the black-box tests stand on: a plain HTTP client, a server to start and kill, images drawn by name.
//! It must not know the project's own code: everything here is written against the specification and the
//! wire, so that a mistake of the server cannot hide behind the same mistake in its client.

pub mod accounts;
pub mod answer;
pub mod chance;
pub mod client;
pub mod disk;
pub mod fake;
pub mod forge;
pub mod image;
pub mod postgres;
pub mod push;
pub mod server;
pub mod tls;
pub mod tool;
