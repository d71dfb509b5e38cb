//! Records: small JSON documents of what nothing else could tell, such as accounts, groups, grants and hashes of
//! tokens. Storage holds them durably, metadata holds them for fast answers; what stands in one is the business
//! of whoever wrote it.

use bytes::Bytes;

/// Longest name of a record, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 64;
/// Largest record, in bytes of JSON.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// What a record is about. Names are unique on their shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shelf {
    /// Users, by name.
    Users,
    /// Groups, by name.
    Groups,
    /// Service accounts, by name.
    ServiceAccounts,
    /// Opaque secrets (personal access tokens, service account secrets, refresh tokens), by their public id.
    Tokens,
    /// Grants, by id.
    Grants,
    /// What a storage is: its own id, and of which move it is the target. No metadata knows of them.
    Marks,
}

impl Shelf {
    /// All that are about accounts, in the order in which they are read back.
    pub const ALL: [Self; 5] = [Self::Users, Self::Groups, Self::ServiceAccounts, Self::Tokens, Self::Grants];

    /// Its name in paths and keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::ServiceAccounts => "service-accounts",
            Self::Tokens => "tokens",
            Self::Grants => "grants",
            Self::Marks => "marks",
        }
    }
}

/// A record as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// At least 1, and one more with each change. A new one is of version 1 until a record is removed from its
    /// shelf; from then on new ones begin above all that was removed there, so that a name which is made again
    /// never has a version that it had before.
    pub version: u64,
    /// The document.
    pub json: Bytes,
}
