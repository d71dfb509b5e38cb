//! How "who are they" can fail to be answered, or a change of accounts be refused. A wrong password is neither: it is
//! an answer.

use crate::{metadata, read_only, storage};

/// A refusal or a failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value is not what it should be; a sentence for whoever sent it.
    #[error("{0}")]
    Invalid(String),
    /// There is no such account, group, token or grant; what, in a word or two.
    #[error("there is no such {0}")]
    Absent(&'static str),
    /// There is one of this name already.
    #[error("there is already such a {0}")]
    Exists(&'static str),
    /// Another source of users knows the name: which one.
    #[error(
        "the source of users `{0}` knows this name: a new account would take it over, with the rights that grants and \
         rules give to it, and shut that one out; say `take_over=true` (`--take-over`) if that is wanted"
    )]
    Elsewhere(&'static str),
    /// It may not be changed so: a sentence that says why.
    #[error("{0}")]
    Refused(String),
    /// Somebody else changed it at the same time.
    #[error("somebody else has just changed it; look at it again")]
    Stale,
    /// Too many ask at once; try again in so many seconds.
    #[error("too many logins are waiting; try again in {0} seconds")]
    Busy(u64),
    /// A source of users could not be reached; the text is for the log only.
    #[error("the source of users {name} could not be asked: {why}")]
    Source {
        /// The source, as the configuration names it.
        name: String,
        /// What went wrong.
        why: String,
    },
    /// A key does not read or does not sign; for the log only.
    #[error("signing: {0}")]
    Key(String),
    /// Somebody else has claimed the storage, or may have.
    #[error(
        "this registry cannot reach the storage's claim, or has lost it to another one, and changes nothing"
    )]
    Unclaimed,
    /// No changes are taken.
    #[error(transparent)]
    ReadOnly(#[from] read_only::Refused),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] storage::error::Error),
    /// Metadata failed.
    #[error(transparent)]
    Metadata(#[from] metadata::error::Error),
}

/// What this room answers.
pub type Result<T> = std::result::Result<T, Error>;
