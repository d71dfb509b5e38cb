//! The answers to challenges that are open: on our TLS port by a certificate, on the plain port by a text. They
//! stand only while an order runs.

use crate::app::acme::selfmade;
use crate::app::tls::shown::Shown;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The answers of the moment.
pub struct Answers {
    shown: Arc<Shown>,
    texts: RwLock<HashMap<String, String>>,
}

impl Answers {
    /// No answers yet.
    pub fn new(shown: Arc<Shown>) -> Self {
        Self { shown, texts: RwLock::default() }
    }

    /// Answers TLS-ALPN-01 for a name.
    pub fn on_tls(&self, name: &str, digest: &[u8]) -> Result<(), selfmade::Error> {
        self.shown.challenge(name, selfmade::challenge(name, digest)?);
        Ok(())
    }

    /// Answers HTTP-01 for a token.
    pub fn on_http(&self, token: &str, text: &str) {
        self.texts.write().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned(), text.to_owned());
    }

    /// The answer to HTTP-01 for a token.
    pub fn text(&self, token: &str) -> Option<String> {
        self.texts.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    /// Forgets all of them when it is dropped: also when the order fails or is given up.
    pub fn until_dropped(&self) -> Open<'_> {
        Open(self)
    }
}

/// Answers that are open.
#[must_use]
pub struct Open<'a>(&'a Answers);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.shown.end_challenges();
        self.0.texts.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
