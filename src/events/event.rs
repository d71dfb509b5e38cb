//! An event: who did what to what, from where, and how that ended. Never a secret.

use std::net::IpAddr;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A credential was checked and good.
    Login,
    /// A credential was checked and wrong, or too many were.
    LoginRefused,
    /// Somebody asked for what the rules do not give them.
    AccessRefused,
    /// A manifest was read.
    Pull,
    /// A manifest was written.
    Push,
    /// A tag, manifest or blob was removed.
    Delete,
    /// An account, group, token, grant or rule was changed.
    Change,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// What.
    pub what: What,
    /// Who: the name of the account; empty for anonymous.
    pub who: String,
    /// To what: `team/app:1`, `user alice`, `token 3f..`. Shortened to 512 bytes when it is kept.
    pub object: String,
    /// In a few words, where `what` is not enough: `password changed`, `push`.
    pub detail: String,
    /// From which address, if that is known.
    pub address: Option<IpAddr>,
}
