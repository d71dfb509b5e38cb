//! Who asks, as far as the rules care.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// The label in which rules see the groups.
pub const GROUPS: &str = "groups";

/// What sort of account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountKind {
    /// Nobody said who they are.
    Anonymous,
    /// A person.
    User,
    /// A machine.
    ServiceAccount,
}

/// Somebody whose word was checked; or nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What sort of account.
    pub kind: AccountKind,
    /// The name; empty for anonymous.
    pub name: String,
    /// May do everything.
    pub admin: bool,
    /// The groups it is in. Rules also see them as the label `groups`.
    pub groups: Vec<String>,
    /// Further facts from the source of the account, for rules that match on them.
    pub labels: BTreeMap<String, Vec<String>>,
}

impl Identity {
    /// Nobody.
    pub fn anonymous() -> Self {
        Self {
            kind: AccountKind::Anonymous,
            name: String::new(),
            admin: false,
            groups: Vec::new(),
            labels: BTreeMap::new(),
        }
    }

    /// The values of a label. The groups are values of the label `groups`.
    pub fn label_values(&self, label: &str) -> impl Iterator<Item = &str> {
        let groups = if label == GROUPS { self.groups.as_slice() } else { &[] };
        groups.iter().chain(self.labels.get(label).into_iter().flatten()).map(String::as_str)
    }

    /// Whether nobody said who they are.
    pub fn is_anonymous(&self) -> bool {
        self.kind == AccountKind::Anonymous
    }
}

/// Who asks, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Who.
    pub identity: &'a Identity,
    /// From which address, if that is known. Rules with an `ip` match nobody whose address is not known.
    pub address: Option<IpAddr>,
    /// The service (token audience) that is asked for.
    pub service: &'a str,
}
