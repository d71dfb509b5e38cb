//! Upload session ids: UUIDs, as the specification asks (distribution-spec, "POST then PUT"); and the checkpoints that
//! name what storage keeps of a session.

use crate::oci::error::{Invalid, shortened};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Names one upload session. Random, so that it cannot be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(Uuid);

impl UploadId {
    /// A new random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The id in 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl FromStr for UploadId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // Only the hyphenated form is ever given out, so only that one is known.
        match Uuid::try_parse(text) {
            Ok(id) if text.len() == 36 => Ok(Self(id)),
            _ => Err(Invalid::Upload(shortened(text))),
        }
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Names what storage keeps to go on with an upload where it stands. Whoever has moved the upload on has named a new
/// one: of two who write to one upload, only the one whose checkpoint was recorded has written anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checkpoint(pub Uuid);

impl Checkpoint {
    /// A new random one.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}
