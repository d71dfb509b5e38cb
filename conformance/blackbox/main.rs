//! Black-box tests: the built program, spoken to over the wire by a plain client of the tests' own.
//! Each file is named for what it covers. Nothing here may use the project's own code: the client must keep the
//! server honest.
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

mod accounts;
mod admin_socket;
mod adoption;
mod adoption_traps;
mod api_accounts;
mod api_audit;
mod api_document;
mod api_first_start;
mod api_input;
mod api_lists;
mod api_schema;
mod api_sources;
mod bad_bodies;
mod bad_input;
mod check;
mod claims;
mod commands_local;
mod commands_remote;
mod concurrency;
mod costs;
mod delete;
mod disk_full;
mod foreign_lists;
mod foreign_logins;
mod import;
mod inspect;
mod listing;
mod log_lost;
mod ls;
mod manifests;
mod moving;
mod pull;
mod push;
mod push_chunks;
mod ranges;
mod referrers;
mod resume;
mod rm;
mod security_api;
mod security_ceilings;
mod security_challenge;
mod security_endings;
mod security_login;
mod security_page;
mod security_rights;
mod security_secrets;
mod security_tokens;
mod security_uploads;
mod serving;
mod stalls;
mod tls;
mod tls_files;
