//! How old what is remembered of the accounts may be. Where other processes change them too, somebody follows what they
//! do; if that stands still, what was revoked elsewhere would go on here, and nothing is answered from memory any more.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// For so long nothing has to be heard.
pub const STALE_AFTER: Duration = Duration::from_secs(10);

/// Up to when all changes are known.
#[derive(Debug, Default)]
pub struct Freshness(Mutex<Option<Instant>>);

impl Freshness {
    /// All that others had changed by then is known. From the first call on it has to be said again and again.
    pub fn known(&self, by: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(by);
    }

    /// Whether others may have changed something long ago that is not known here.
    pub fn is_stale(&self) -> bool {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.is_some_and(|by| by.elapsed() > STALE_AFTER)
    }
}
