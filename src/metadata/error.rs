//! How metadata can fail to answer. "Absent" and "refused" are never errors here.

/// Metadata could not answer, or could not take what it was given.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The engine failed; the text is for the log only.
    #[error("metadata fault: {0}")]
    Fault(String),
    /// A row does not read: the database is damaged. `holdfast rebuild` makes it again.
    #[error("metadata row {0} does not read; `holdfast rebuild` makes the metadata again from storage")]
    Damaged(String),
    /// Another process has it open.
    #[error("the metadata in {0} is in use by another process")]
    InUse(String),
    /// It cannot be reached, or does not answer in time; the text is for the log only. Worth trying again.
    #[error("the metadata does not answer: {0}")]
    Unreachable(String),
    /// The intent that this was to fulfil has ended: this process was away for so long that others took it for dead, and
    /// have settled what it left. Nothing was recorded.
    #[error("another process has settled this operation meanwhile")]
    Overtaken,
    /// Its tables were made by a newer program, and this one does not work with them.
    #[error(
        "the schema in PostgreSQL is of version {found}, and this holdfast knows {knows}: run a newer one, or restore a backup"
    )]
    Newer {
        /// The version of the schema.
        found: i32,
        /// The newest that is known here.
        knows: i32,
    },
    /// No room on its disk.
    #[error("the disk of the metadata is full")]
    Full,
}

/// What metadata answers.
pub type Result<T> = std::result::Result<T, Error>;
