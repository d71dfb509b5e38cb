//! Records of accounts, as storage holds them, for fast answers; and what may be lost of them without harm.
//!
//! A change goes intent, record in storage, fact here: `begin` is durable before storage is touched, and `keep` or
//! `forget` ends it. What a crash leaves pending is settled by whoever is next from what storage holds. One change of a
//! name at a time, from `begin` to its end: within a process that is the caller's to see to.

use crate::metadata::error::Result;
use crate::metadata::intents::Begun;
use crate::oci::page::{Listed, Page};
use crate::record::{Record, Shelf};

/// The facts about accounts.
#[async_trait::async_trait]
pub trait Accounts: Send + Sync {
    /// The record of a name; `None` also if no record can have it.
    async fn find(&self, shelf: Shelf, name: &str) -> Result<Option<Record>>;

    /// Records in byte order of their names. Where they are large a page ends early, after some 4 MiB of them: `more`
    /// tells whether others follow.
    async fn list(&self, shelf: Shelf, page: &Page) -> Result<Listed<(String, Record)>>;

    /// A record is about to change in storage. Durable when it returns. A name that no record can have is an error. Where
    /// several processes share the metadata it is also a lock: `InTheWay` while another one has begun the same name, and
    /// `Held` while all of them are. To begin again what this process has begun, or was handed, changes nothing.
    async fn begin(&self, shelf: Shelf, name: &str) -> Result<Begun>;

    /// The record stands so in storage; ends `begin`. Durable when it returns. One that is older than what is known
    /// changes nothing. `Error::Overtaken` if this process had begun the name, and was taken for dead since: others may
    /// have settled and changed it.
    async fn keep(&self, shelf: Shelf, name: &str, record: Record) -> Result<()>;

    /// The record is gone from storage, and when it was last used is forgotten with it; ends `begin`. Durable when it
    /// returns. `Error::Overtaken` as for `keep`.
    async fn forget(&self, shelf: Shelf, name: &str) -> Result<()>;

    /// At most `count` names whose change was neither ended nor settled by a process that is no more. They are the
    /// caller's then, as if it had begun them.
    async fn pending(&self, count: usize) -> Result<Vec<(Shelf, String)>>;

    /// Secrets were used: their ids and when, in seconds since the Unix epoch. May be lost. What is known to be later
    /// stands, and a secret that is not on the shelf of tokens is passed over.
    async fn used(&self, uses: &[(String, u64)]) -> Result<()>;

    /// When a secret was last used, as far as is known.
    async fn last_used(&self, token: &str) -> Result<Option<u64>>;
}
