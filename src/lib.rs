//! Holdfast: a whole private container registry in one binary.
//!
//! This file is the floor plan and defines nothing. A file may import its own room and rooms on lower
//! floors; rooms on one floor never meet. `conformance/house.rs` holds that, `ARCHITECTURE.md` explains it.

pub mod cli; // floor 6

pub mod app; // floor 5

pub mod http; // floor 4
pub mod workers; // floor 4

pub mod auth; // floor 3
pub mod registry; // floor 3

pub mod acl; // floor 2
pub mod events; // floor 2
pub mod metadata; // floor 2
pub mod storage; // floor 2
pub mod upstream; // floor 2

pub mod clock; // floor 1
pub mod oci; // floor 1
pub mod read_only; // floor 1
pub mod record; // floor 1
pub mod secret; // floor 1
pub mod stream; // floor 1
