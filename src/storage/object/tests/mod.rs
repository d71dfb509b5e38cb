//! The contract on a real server, in the process of the test; and what only a bucket can show: what each call costs, and
//! what becomes of it when the server, or the way to it, fails.

mod answers;
mod claims;
mod contract;
mod faults;
mod opening;
mod part_copies;
pub mod server;
mod signatures;
mod strange;
mod strays;
pub mod wire;
