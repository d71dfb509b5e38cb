//! Durable: many rounds of pushes and deletes by several clients against one server that is killed with SIGKILL
//! at a random moment, or loses its power. Afterwards everything acknowledged is there, nothing unacknowledged is half there, and
//! `holdfast rebuild` from storage alone gives the same answers as the metadata that survived.
//! Nothing here may use the project's own code. `HOLDFAST_KILL_ROUNDS` sets the rounds, `HOLDFAST_KILL_SEED` plays
//! a run again (the moment of the kill still depends on the machine).
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

mod book;
mod power;
mod rounds;
mod shared_tag;
mod snapshot;
mod verify;
mod worker;

#[test]
fn sled_loses_nothing_when_killed() {
    rounds::play("sled", rounds::Death::Kill);
}

#[test]
fn redb_loses_nothing_when_killed() {
    rounds::play("redb", rounds::Death::Kill);
}

#[test]
fn sled_loses_nothing_in_a_power_cut() {
    rounds::play("sled", rounds::Death::PowerCut);
}

#[test]
fn sled_loses_no_metadata_in_a_power_cut() {
    rounds::play("sled", rounds::Death::PowerCutOfMetadata);
}

#[test]
fn redb_loses_no_metadata_in_a_power_cut() {
    rounds::play("redb", rounds::Death::PowerCutOfMetadata);
}

#[test]
fn redb_loses_nothing_in_a_power_cut() {
    rounds::play("redb", rounds::Death::PowerCut);
}
