//! What can go wrong with another registry, in sentences for a person: what happened, and what to do about it. What
//! the registry itself said is shortened and cannot steer a terminal.

use crate::oci::error::shortened;
use serde::Deserialize;

/// Why something could not be had of another registry. No message holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What was asked for makes no sense; nothing was sent.
    #[error("{0}")]
    Given(String),
    /// A file or program on this machine that is needed: credentials, a helper, certificates.
    #[error("{0}")]
    Here(String),
    /// No connection, or one that broke.
    #[error("{at} cannot be reached: {why}")]
    Unreachable {
        /// The registry.
        at: String,
        /// Why, and what to do.
        why: String,
    },
    /// An answer that is not what the specification says, or too large, or of other bytes than it should be.
    #[error("{at} gave an answer that cannot be used: {why}")]
    Unusable {
        /// The registry.
        at: String,
        /// What is wrong with it.
        why: String,
    },
    /// The registry wants to know who asks, or does not believe it.
    #[error("{at} did not let us in: {why}")]
    Login {
        /// The registry.
        at: String,
        /// Why, and what to do.
        why: String,
    },
    /// An answer that is no success.
    #[error("{at} answered {status}{}", told.phrase())]
    Answer {
        /// The registry.
        at: String,
        /// The status code.
        status: u16,
        /// What it said.
        told: Told,
    },
}

/// What a registry says in an error body (distribution-spec, "Error Codes"), made fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// The code of the first error; empty if there is none.
    pub code: String,
    /// Its message; empty if there is none.
    pub message: String,
}

impl Told {
    /// Reads an error body. One that is not in the form says nothing, unless it is a short plain text.
    pub fn read(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            errors: Vec<One>,
        }
        #[derive(Deserialize)]
        struct One {
            #[serde(default)]
            code: String,
            #[serde(default)]
            message: Option<String>,
        }
        let Ok(body) = serde_json::from_slice::<Body>(body) else { return Self::plain(body) };
        body.errors.into_iter().next().map_or_else(Self::default, |one| Self {
            code: printable(&shortened(&one.code)),
            message: printable(&one.message.unwrap_or_default().chars().take(300).collect::<String>()),
        })
    }

    fn plain(body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).unwrap_or_default().trim();
        let is_short = text.len() <= 200 && !text.starts_with(['<', '{', '[']);
        Self { code: String::new(), message: if is_short { printable(text) } else { String::new() } }
    }

    fn phrase(&self) -> String {
        match (self.code.as_str(), self.message.as_str()) {
            ("", "") => String::new(),
            ("", message) => format!(" ({message})"),
            (code, "") => format!(" ({code})"),
            (code, message) => format!(" ({code}: {message})"),
        }
    }
}

/// Text of a stranger for a terminal: no control characters, nothing that turns the direction of writing.
pub fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// The innermost cause of an error: libraries wrap what really happened in sentences that say nothing.
pub fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    printable(&cause.to_string().chars().take(300).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_body_is_told_without_its_control_characters() {
        let body =
            br#"{"errors":[{"code":"DENIED","message":"no\u001b[2Jway\u202e","detail":{}},{"code":"B"}]}"#;
        let error = Error::Answer { at: "r.example.com".into(), status: 403, told: Told::read(body) };
        assert_eq!(error.to_string(), "r.example.com answered 403 (DENIED: no\u{fffd}[2Jway\u{fffd})");
    }

    #[test]
    fn a_body_of_another_form_says_nothing() {
        for body in [&b""[..], b"<html>", b"{}", br#"{"errors":[]}"#, br#"{"errors":"x"}"#] {
            assert_eq!(Told::read(body), Told::default());
        }
        let plain = Told::read(b"Client sent an HTTP request to an HTTPS server.\n");
        assert_eq!(plain.phrase(), " (Client sent an HTTP request to an HTTPS server.)");
        let no_message = Told::read(br#"{"errors":[{"code":"UNSUPPORTED","message":null}]}"#);
        assert_eq!(no_message.phrase(), " (UNSUPPORTED)");
    }
}
