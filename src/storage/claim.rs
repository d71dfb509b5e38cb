//! The claim on a storage: who has metadata of it. Two who do not know of each other would each believe that what the
//! other has written was never there, and answer so. One is let in, the other is told who has it.

use crate::storage::error::Result;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How long the claim of a process holds that does not renew it.
pub const TERM: Duration = Duration::from_secs(30);

/// What kind of metadata it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A database of one process. Its claim ends with the process.
    Embedded,
    /// A database that many processes share. Its claim holds until it is given up.
    Shared,
}

/// Who claims a storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// What kind of metadata it has.
    pub kind: Kind,
    /// Which database, by a name that no other one has.
    pub id: String,
    /// Where it runs, for people: a host and a process, or the address of a database. Never a secret.
    pub place: String,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is ours.
    Ours,
    /// Somebody else has it.
    Theirs(Holder),
}

/// A claim on a storage. One in each process.
#[async_trait::async_trait]
pub trait Claim: Send + Sync {
    /// Claims the storage. Whoever is there and renews it has it; one that may be dead is watched for as long as its
    /// claim holds, which takes up to `TERM`. The same database takes its own claim over at once.
    async fn take(&self, holder: &Holder) -> Result<Claimed>;

    /// Renews the claim, at least each third of `TERM`. `Theirs`: it is lost for good, and whoever goes on to write does
    /// harm. After an error it may be tried again for as long as `stands`.
    async fn renew(&self) -> Result<Claimed>;

    /// Whether it is ours beyond doubt, now: what is written may only be written while it is. A process that stood still
    /// for too long finds it gone.
    fn stands(&self) -> bool;

    /// Gives the claim up, if it is ours: the next one need not wait.
    async fn release(&self) -> Result<()>;
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Embedded => "the database of one process",
            Kind::Shared => "a shared database",
        };
        write!(f, "{kind} at {} (id {})", self.place, self.id)
    }
}

/// What stands in the claim's file or object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Who has it.
    pub holder: Holder,
    /// Until when, in seconds since the Unix epoch by the holder's clock. For people: nobody trusts another's clock.
    pub until: Option<u64>,
    /// Whether it was given up.
    #[serde(default)]
    pub released: bool,
    /// Another one for each who writes a claim: no two are the same, whatever else they say.
    #[serde(default)]
    pub mark: String,
    /// One more each time that it is renewed.
    #[serde(default)]
    pub renewals: u64,
}

impl Written {
    /// A claim of somebody, at a time in seconds since the Unix epoch.
    pub fn by(holder: &Holder, unix_secs: u64) -> Self {
        let until = match holder.kind {
            Kind::Embedded => Some(unix_secs + TERM.as_secs()),
            Kind::Shared => None,
        };
        let mark = uuid::Uuid::new_v4().simple().to_string();
        Self { holder: holder.clone(), until, released: false, mark, renewals: 0 }
    }

    /// Whether somebody may take it at once: it was given up, or is of the same database.
    pub fn is_free_for(&self, holder: &Holder) -> bool {
        self.released || (self.holder.kind == holder.kind && self.holder.id == holder.id)
    }

    /// The text of it.
    pub fn text(&self) -> std::io::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(Into::into)
    }

    /// Reads a text, or tells why it is none.
    pub fn read(text: &[u8]) -> std::io::Result<Self> {
        serde_json::from_slice(text).map_err(|error| {
            let why = format!("it is no claim of a registry ({error}); if no other one runs, remove it");
            std::io::Error::new(std::io::ErrorKind::InvalidData, why)
        })
    }
}
