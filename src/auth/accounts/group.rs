//! A group, and who is in it: users and service accounts of ours, and users whom another source knows.

use crate::acl::identity::AccountKind;
use crate::auth::accounts::document::Document;
use crate::auth::accounts::name;
use crate::auth::error::{Error, Result};
use crate::record::Shelf;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Most members of one group: their names must fit into one record.
pub const MEMBERS_MAX: usize = 10_000;
/// Most bytes of all names of a group's members.
pub const MEMBERS_BYTES_MAX: usize = 768 << 10;

const USER: &str = "user:";
const SERVICE_ACCOUNT: &str = "service-account:";

/// Somebody in a group, written `user:alice` or `service-account:ci`. A user may be one of any source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Member {
    kind: AccountKind,
    name: String,
}

impl Member {
    /// A user or a service account of this name. Nobody is no member.
    pub fn new(kind: AccountKind, name: &str) -> Result<Self> {
        match kind {
            AccountKind::Anonymous => return Err(Error::Invalid("nobody cannot be in a group".into())),
            AccountKind::User => name::other(name)?,
            AccountKind::ServiceAccount => name::service(name)?,
        }
        Ok(Self { kind, name: name.to_owned() })
    }

    /// What sort.
    pub fn kind(&self) -> AccountKind {
        self.kind
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.kind == AccountKind::ServiceAccount { SERVICE_ACCOUNT } else { USER };
        write!(f, "{prefix}{}", self.name)
    }
}

impl FromStr for Member {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(name) = text.strip_prefix(USER) {
            Self::new(AccountKind::User, name)
        } else if let Some(name) = text.strip_prefix(SERVICE_ACCOUNT) {
            Self::new(AccountKind::ServiceAccount, name)
        } else {
            Err(Error::Invalid("a member is written user:NAME or service-account:NAME".into()))
        }
    }
}

impl From<Member> for String {
    fn from(member: Member) -> Self {
        member.to_string()
    }
}

impl TryFrom<String> for Member {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// A group, as storage holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Who is in it, each once.
    #[serde(default)]
    pub members: Vec<Member>,
    /// When it was made, in seconds since the Unix epoch.
    #[serde(default)]
    pub created: u64,
    /// When it was last changed.
    #[serde(default)]
    pub changed: u64,
    /// It is being removed: nobody sees it any more, and its grants go first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removing: bool,
}

impl Document for Group {
    const SHELF: Shelf = Shelf::Groups;
    const BATCH: usize = 20;

    fn key(&self) -> &str {
        &self.name
    }

    fn may_be(text: &str) -> bool {
        name::account(text).is_ok()
    }
}

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupSummary {
    /// The name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How many are in it.
    pub members: usize,
}

impl From<&Group> for GroupSummary {
    fn from(group: &Group) -> Self {
        Self {
            name: group.name.clone(),
            description: group.description.clone(),
            members: group.members.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_member_reads_as_it_prints(text in "(user:|service-account:|)\\PC{0,12}") {
            if let Ok(member) = text.parse::<Member>() {
                prop_assert_eq!(member.to_string(), text);
            }
        }
    }

    #[test]
    fn members_of_other_sources_keep_their_names() {
        for text in ["user:alice", "user:a:b", "user:CORP\\bob smith", "service-account:ci"] {
            assert_eq!(text.parse::<Member>().unwrap().to_string(), text);
        }
        for text in ["alice", "user:", "user: a", "user:a\nb", "service-account:CI", "anonymous:", "group:a"]
        {
            assert!(text.parse::<Member>().is_err(), "{text}");
        }
    }
}
