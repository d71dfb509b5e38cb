//! What a client has to know before its first request. It must not know the command line.

use crate::clock::Clock;
use crate::upstream::address::Address;
use crate::upstream::credentials::Source;
use crate::upstream::patience::Patience;
use crate::upstream::trust::Trust;
use http::Method;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a client has to know before its first request.
#[derive(Clone)]
pub struct Options {
    /// The registry.
    pub address: Address,
    /// Where credentials are, when the registry asks for some.
    pub source: Source,
    /// Hosts beside the registry's own that may be asked for its tokens.
    pub realm_hosts: Vec<String>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Most requests under way at once.
    pub requests_max: usize,
    /// How long anything is waited for.
    pub patience: Patience,
    /// Told of every exchange.
    pub watch: Option<Watch>,
    /// The time, for tokens that end.
    pub clock: Arc<dyn Clock>,
}

/// Is told of every exchange when it is over.
pub type Watch = Arc<dyn Fn(&Exchange<'_>) + Send + Sync>;

/// One request and its answer.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// The method.
    pub method: &'a Method,
    /// The URL; its query may name an account, never a secret.
    pub url: &'a str,
    /// The status code.
    pub status: u16,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("address", &self.address).finish_non_exhaustive()
    }
}
