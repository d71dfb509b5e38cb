//! What can be wrong with a value of the specification. Each variant becomes one code on the wire.

/// A text that is not the value it should be. The messages are made for clients: they repeat only what the
/// client sent, shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not a repository name.
    #[error("repository name {0:?} is invalid: {1}")]
    Name(String, &'static str),
    /// Not a tag.
    #[error(
        "tag {0:?} is invalid: 1 to 128 characters, letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`"
    )]
    Tag(String),
    /// Not a digest, or of an algorithm that is not known here.
    #[error("digest {0:?} is invalid: {1}")]
    Digest(String, &'static str),
    /// Not an upload session id.
    #[error("upload session {0:?} is not known")]
    Upload(String),
    /// Not a manifest that is accepted here.
    #[error("manifest invalid: {0}")]
    Manifest(String),
}

/// What a stranger sent, short enough for an error message or a log line.
pub fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    let mut short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
