//! Another registry, as its client: for the commands that list, inspect and remove images anywhere. Sends a
//! credential nowhere but to the host that it is for, and believes no list, length or digest that it is told.
//!
//! From below: an `address` and an `image_name` are values; a `wire` sends one request and reads one bounded
//! answer; `authorization` turns challenges and credentials into headers; a `client` is all of it. The other files are
//! named for what they ask about.

pub mod address;
pub mod authorization;
pub mod blobs;
pub mod challenge;
pub mod client;
pub mod credentials;
pub mod document;
pub mod error;
pub mod helper;
pub mod image_config;
pub mod image_name;
pub mod look;
pub mod manifests;
pub mod options;
pub mod pages;
pub mod patience;
pub mod pinned;
pub mod realm;
pub mod referrers;
pub mod repositories;
pub mod tags;
pub mod tokens;
pub mod trust;
pub mod wire;
