//! Faults: what replicas, PostgreSQL and S3 do to each other when things break.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a test fails by panicking, and tells by printing"
)]

#[path = "../testkit/mod.rs"]
#[allow(dead_code, reason = "each test target uses its part of the kit")]
mod testkit;

mod busy;
mod cuts;
mod kills;
mod patience;
mod pauses;
mod proxies;
mod rounds;
mod servers;
mod steps;
mod world;
