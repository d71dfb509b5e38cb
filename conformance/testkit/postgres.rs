//! Databases of a real PostgreSQL: on the server that `HOLDFAST_TEST_POSTGRES` names, the URL of a role that may make
//! databases, with `psql` on the path, as `conformance/with-postgres` gives them. Where there is none, a test says that it
//! was skipped. It must not know what stands in them.

use super::chance::Chance;
use std::process::Command;

/// The URL of a new database. `None`: there is no server, which was told.
#[track_caller]
#[allow(clippy::disallowed_methods)] // for tests alone
pub fn database() -> Option<String> {
    let Ok(url) = std::env::var("HOLDFAST_TEST_POSTGRES") else {
        eprintln!("skipped: HOLDFAST_TEST_POSTGRES is not set");
        return None;
    };
    let (server, _) = url.rsplit_once('/').expect("a URL that ends with a database");
    let name = format!("holdfast_blackbox_{:x}", Chance::fresh_seed());
    run(&url, &format!("CREATE DATABASE {name}"));
    Some(format!("{server}/{name}"))
}

/// Runs SQL there, behind everybody's back.
#[track_caller]
pub fn run(url: &str, sql: &str) {
    let words = ["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", url, "-c", sql];
    let quiet = ("PGOPTIONS", "-c client_min_messages=warning");
    let status = Command::new("psql").args(words).env(quiet.0, quiet.1).status().expect("psql runs");
    assert!(status.success(), "{sql}");
}
