//! Coming from the others: a configuration of docker_auth or registry:2, or an htpasswd file, becomes the
//! configuration of Holdfast that means the same.
//!
//! Text comes in, text goes out: nothing here opens a file. What cannot be carried is told, what is not understood
//! is refused, and nothing is carried so that somebody may pull, push or delete what they could not before.

pub mod acme;
pub mod bcrypt;
pub mod carried;
pub mod docker_auth;
pub mod document;
pub mod duration;
pub mod fields;
pub mod htpasswd;
pub mod listen;
pub mod registry_config;
pub mod report;
pub mod yaml;
