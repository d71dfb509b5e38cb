//! Metadata in PostgreSQL, shared by as many processes as one likes. One method is one statement, and so one
//! transaction and one round trip; what takes more than a glance stands as a function in the database
//! (`migrations/`), under the name that the method has here.
//!
//! All names carry the schema, `holdfast`, so nothing depends on a search path: two registries take two databases.
//! Behind PgBouncer in transaction mode it wants prepared statements there (`max_prepared_statements`), and limits of
//! time set for its role rather than for a session; news come by polling then. Knows no storage and no HTTP.

pub mod accounts;
pub mod audit;
pub mod blobs;
pub mod columns;
pub mod completeness;
pub mod config;
pub mod connections;
pub mod database;
pub mod faults;
pub mod holds;
pub mod intents;
pub mod leases;
pub mod lending;
pub mod manifests;
pub mod migrations;
pub mod news;
pub mod paper;
pub mod reach;
pub mod replica;
#[cfg(test)]
pub mod scratch;
pub mod signing_keys;
pub mod statement;
#[cfg(test)]
mod tests;
pub mod uploads;
