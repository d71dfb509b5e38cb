//! Times without changes, for all processes that share the metadata at once: while a registry is moved, and while an
//! administrator wants it so. The database keeps to it, so it holds a process that has not heard of it, too: `begin`
//! answers `Held`.

use crate::metadata::error::Result;
use std::time::Duration;

/// Who is held. For metadata that several processes share.
#[async_trait::async_trait]
pub trait Holds: Send + Sync {
    /// Holds all processes for an administrator: for `term`, or until `release`; never for less than was said before.
    async fn hold(&self, term: Option<Duration>) -> Result<()>;

    /// Holds all others for this process, which moves the registry, for `term`. False: another one moves it.
    async fn begin_move(&self, term: Duration) -> Result<bool>;

    /// Goes on with that for `term` from now on. False: it had ended, and changes may have been taken since.
    async fn go_on(&self, term: Duration) -> Result<bool>;

    /// This process moves the registry no more.
    async fn end_move(&self) -> Result<()>;

    /// Nobody is held any more, whoever wanted it.
    async fn release(&self) -> Result<()>;

    /// Whether processes are held now.
    async fn is_held(&self) -> Result<bool>;

    /// How many changes, of images and of accounts, all processes have under way. Once it is none while they are held, it
    /// stays none until the hold ends. What processes had under way that are no more is handed to this one, and does
    /// not count: nobody was told that it is done.
    async fn under_way(&self) -> Result<u64>;
}
