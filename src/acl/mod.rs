//! May they? Pure and total: no I/O, no errors at the time of a decision, no async.
//!
//! One function, `policy.rs`, decides for every door: pulls, pushes, lists, mounts, the token issuer, the admin API.
//! It denies by default and can tell why it decided so. This room knows neither HTTP nor where accounts stand.

pub mod access;
pub mod asked;
pub mod authority;
pub mod ceiling;
pub mod config;
pub mod dialect;
#[cfg(test)]
mod drawn;
pub mod glob;
pub mod grant;
pub mod identity;
pub mod lint;
pub mod lint_regex;
pub mod pattern;
pub mod placeholder;
pub mod policy;
pub mod prefixes;
#[cfg(test)]
mod reference_policy;
pub mod regexes;
pub mod rules;
pub mod shadow;
pub mod template;
pub mod tokens;
