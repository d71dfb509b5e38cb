//! What the handshake shows: the certificate of the moment, which may be replaced under running connections, and
//! the answers to an ACME server's TLS-ALPN-01 challenges (RFC 8737). It must not know where either comes from.

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// The protocol of a TLS-ALPN-01 challenge.
pub const ACME_TLS: &[u8] = b"acme-tls/1";

/// The certificate of the moment.
pub struct Shown {
    current: ArcSwap<CertifiedKey>,
    challenges: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

impl Shown {
    /// Shows this one first.
    pub fn new(first: Arc<CertifiedKey>) -> Self {
        Self { current: ArcSwap::new(first), challenges: RwLock::default() }
    }

    /// Shows another one from the next handshake on. Connections that stand go on.
    pub fn replace(&self, next: Arc<CertifiedKey>) {
        self.current.store(next);
    }

    /// Answers a challenge for a name with this certificate.
    pub fn challenge(&self, name: &str, answer: Arc<CertifiedKey>) {
        let mut challenges = self.challenges.write().unwrap_or_else(PoisonError::into_inner);
        challenges.insert(name.to_ascii_lowercase(), answer);
    }

    /// Forgets all answers to challenges.
    pub fn end_challenges(&self) {
        self.challenges.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // "The ALPN extension MUST contain the single protocol name acme-tls/1" (RFC 8737, section 3): who offers
        // anything else gets what everybody gets.
        if hello.alpn().is_some_and(|offered| offered.eq([ACME_TLS])) {
            let challenges = self.challenges.read().unwrap_or_else(PoisonError::into_inner);
            return challenges.get(&hello.server_name()?.to_ascii_lowercase()).cloned();
        }
        Some(self.current.load_full())
    }
}
