//! The language of the specifications: values that cannot be wrong once they exist.
//!
//! Knows no I/O, no async, no HTTP and no storage. Everything here parses from text, prints back to the
//! same text, and never panics on what a stranger sends.

pub mod digest;
pub mod error;
pub mod hasher;
pub mod json;
pub mod manifest;
pub mod media_type;
pub mod page;
pub mod reference;
pub mod repository;
pub mod tag;
pub mod text;
pub mod upload;
