//! Settings of TLS.

use serde::{Deserialize, Serialize};

/// `[server.tls]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file of the certificate and its chain, PEM. Empty: none.
    pub certificate: String,
    /// The file of its private key, PEM.
    pub key: String,
    /// The oldest TLS that is spoken.
    pub min_version: MinVersion,
    /// Browsers are told to come over TLS always.
    pub hsts: bool,
}

/// The oldest TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MinVersion {
    /// TLS 1.2, RFC 5246.
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3, RFC 8446.
    #[serde(rename = "1.3")]
    Tls13,
}

impl Default for Config {
    fn default() -> Self {
        Self { certificate: String::new(), key: String::new(), min_version: MinVersion::Tls12, hsts: true }
    }
}
