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
    /// A database that many processes share. Each of them renews its claim.
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
    /// Somebody else had it last, and has it no more: who claims it may know less than they did. Nothing was changed.
    Outdated(Holder),
}

/// A claim on a storage. One in each process.
#[async_trait::async_trait]
pub trait Claim: Send + Sync {
    /// Claims the storage. Whoever is there and renews it has it; one that may be dead is watched for as long as its
    /// claim holds, which takes up to `TERM`. The same database takes its own claim over at once. With `whole` it says
    /// that it knows all that the storage holds, and is let in only if nobody else had the storage since.
    async fn take(&self, holder: &Holder, whole: bool) -> Result<Claimed>;

    /// Who had it last, or has it. `None`: nobody ever.
    async fn last(&self) -> Result<Option<Holder>>;

    /// Makes another database the one that had it last, whoever has it now: that one loses it when it renews it, or ends.
    /// The other one knows all that the storage holds, and takes it when it comes.
    async fn hand_over(&self, to: &Holder) -> Result<()>;

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
        let until = Some(unix_secs + TERM.as_secs());
        let mark = uuid::Uuid::new_v4().simple().to_string();
        Self { holder: holder.clone(), until, released: false, mark, renewals: 0 }
    }

    /// What stands there when nobody has it, and `last` had it.
    pub fn free_after(last: &Holder) -> Self {
        Self { until: None, released: true, ..Self::by(last, 0) }
    }

    /// Whether it is of that database.
    pub fn is_of(&self, holder: &Holder) -> bool {
        self.holder.kind == holder.kind && self.holder.id == holder.id
    }

    /// Whether somebody may take it at once: it was given up, or is of the same database.
    pub fn is_free_for(&self, holder: &Holder) -> bool {
        self.released || self.is_of(holder)
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
