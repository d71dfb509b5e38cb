//! May they? Pure and total: no I/O, no errors at the time of a decision, no async.
//!
//! One function, `policy.rs`, decides for every door: pulls, pushes, lists, mounts, the token issuer, the admin API.
//! It denies by default and can tell why it decided so. This room knows neither HTTP nor where accounts stand.

pub mod access;
pub mod ceiling;
pub mod grant;
pub mod identity;
