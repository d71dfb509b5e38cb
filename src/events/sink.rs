//! The trait of whoever is told.

use crate::events::event::Event;

/// Takes events.
pub trait EventSink: Send + Sync {
    /// Takes an event. Never blocks; when there is no room it is counted as dropped.
    fn emit(&self, event: Event);
}

/// Takes events and forgets them: for tests, and for a server without accounts.
pub struct Nobody;

impl EventSink for Nobody {
    fn emit(&self, _event: Event) {}
}
