//! registry:2's and registry:3's `config.yml`, with the `REGISTRY_*` variables that are laid over it.
//!
//! Every key of theirs is known: it is carried, or it has a sentence that says why not.

pub mod accounts;
pub mod bucket;
pub mod convert;
pub mod environment;
pub mod http;
pub mod keys;
pub mod left;
pub mod storage;
