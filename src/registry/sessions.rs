//! Which upload sessions are being written to right now, so that two requests never write to one.

use crate::oci::upload::UploadId;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// The sessions that a request holds.
#[derive(Default)]
pub struct Sessions(Mutex<HashSet<UploadId>>);

/// A session that is held until this is dropped.
pub struct Held<'a> {
    sessions: &'a Sessions,
    id: UploadId,
}

impl Sessions {
    /// Holds a session; `None` if another request does.
    pub fn hold(&self, id: UploadId) -> Option<Held<'_>> {
        let fresh = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        // Lazily: a `Held` that is made only to be thrown away would let the other request's session go.
        fresh.then(|| Held { sessions: self, id })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.sessions.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_hold_leaves_the_first_in_place() {
        let (sessions, id) = (Sessions::default(), UploadId::random());
        let first = sessions.hold(id);
        assert!(first.is_some());
        assert!(sessions.hold(id).is_none());
        assert!(sessions.hold(id).is_none(), "the refusal before let the session go");
        drop(first);
        assert!(sessions.hold(id).is_some());
    }
}
