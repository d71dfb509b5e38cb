//! What every handler is given.

use crate::registry::parts::Registry;
use std::sync::Arc;
use std::time::Duration;

/// The parts that the door opens on.
#[derive(Clone)]
pub struct Door {
    /// The rules' parts.
    pub registry: Arc<Registry>,
    /// A body that brings nothing for so long is cut off.
    pub stall: Duration,
}
