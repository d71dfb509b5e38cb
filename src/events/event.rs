//! An event: who did what to what, from where, and how that ended. Never a secret.

use std::net::IpAddr;

/// Longest text of an event, in characters.
const TEXT_CHARS_MAX: usize = 512;

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
    /// To what: `team/app:1`, `user alice`, `token 3f..`. Shortened to 512 characters.
    pub object: String,
    /// In a few words, where `what` is not enough: `password changed`, `push`.
    pub detail: String,
    /// From which address, if that is known.
    pub address: Option<IpAddr>,
}

impl Event {
    /// The same event with texts that are short enough to keep: some are a stranger's.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        for text in [&mut self.who, &mut self.object, &mut self.detail] {
            if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
                *text = text[..end].to_owned();
            }
        }
        self
    }
}
