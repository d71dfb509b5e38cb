//! What a manifest is asked for by: a tag or a digest (distribution-spec, `<tag-or-digest>`).

use crate::oci::digest::Digest;
use crate::oci::error::Invalid;
use crate::oci::tag::Tag;
use std::fmt;
use std::str::FromStr;

/// A tag or a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// By name.
    Tag(Tag),
    /// By content.
    Digest(Digest),
}

impl FromStr for Reference {
    type Err = Invalid;

    /// A colon cannot stand in a tag, so it tells the two apart.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains(':') { text.parse().map(Self::Digest) } else { text.parse().map(Self::Tag) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}
