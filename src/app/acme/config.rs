//! Settings of the ACME client.

use serde::{Deserialize, Serialize};

/// `[server.acme]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The names that the certificate is for. Empty: no ACME.
    pub domains: Vec<String>,
    /// Where the ACME server writes to when something is wrong. May be empty.
    pub email: String,
    /// Whether the terms of service of that server are agreed to.
    pub accept_terms: bool,
    /// The ACME server's directory.
    pub directory: String,
    /// A file of certificates to trust for that server, PEM. Empty: those of the system.
    pub ca_certificate: String,
    /// Where HTTP-01 challenges are answered, and all else is sent to https. Empty: TLS-ALPN-01 on our own port.
    pub http_listen: String,
    /// The folder of account and certificate. Empty: `<data>/acme`.
    pub cache: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            email: String::new(),
            accept_terms: false,
            directory: "https://acme-v02.api.letsencrypt.org/directory".into(),
            ca_certificate: String::new(),
            http_listen: String::new(),
            cache: String::new(),
        }
    }
}

impl Config {
    /// Whether certificates are to be had from an ACME server.
    pub fn is_on(&self) -> bool {
        !self.domains.is_empty()
    }
}
