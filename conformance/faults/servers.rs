//! The servers that replicas stand on, and what is said where one is missing. It must not know what is tested on them.

/// Says that a test did not run, and why. Where `HOLDFAST_FAULTS` is `all` that is a failure.
#[track_caller]
#[allow(clippy::disallowed_methods, reason = "tests read the environment of their run")]
pub fn skipped(what: &str, why: &str) {
    assert!(std::env::var("HOLDFAST_FAULTS").as_deref() != Ok("all"), "{what} must run here: {why}");
    println!("skipped: {what}: {why}");
}
