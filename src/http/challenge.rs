//! How a client is told to log in: 401 with `WWW-Authenticate` (docker-auth-token, "How to authenticate"). Always
//! Bearer, always on the registry's own origin, so that no credential leaves it.

use crate::http::headers::value;
use http::HeaderValue;

/// The path of the token issuer.
pub const TOKEN_PATH: &str = "/token";

/// Its other path, where docker's own registry expects it.
pub const TOKEN_PATH_OTHER: &str = "/auth/token";

/// Why a client is sent to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It showed nothing.
    NoCredential,
    /// The name or the password is wrong.
    WrongPassword,
    /// The access token does not hold.
    InvalidToken,
    /// The access token does not give what the request needs.
    InsufficientScope,
}

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Scheme, host and port of this registry, as the client knows it. `None`: it did not say.
    pub origin: Option<String>,
    /// The audience of tokens.
    pub service: String,
    /// What to ask for.
    pub scope: Option<String>,
    /// Why.
    pub why: Why,
}

impl Challenge {
    /// The header.
    pub fn header(&self) -> HeaderValue {
        let origin = self.origin.as_deref().unwrap_or_default();
        let mut text = format!(r#"Bearer realm="{origin}{TOKEN_PATH}",service="{}""#, self.service);
        if let Some(scope) = &self.scope {
            text.push_str(&format!(r#",scope="{scope}""#));
        }
        match self.why {
            Why::NoCredential | Why::WrongPassword => {}
            Why::InvalidToken => text.push_str(r#",error="invalid_token""#),
            Why::InsufficientScope => text.push_str(r#",error="insufficient_scope""#),
        }
        value(text)
    }

    /// The sentence.
    pub fn message(&self) -> &'static str {
        match self.why {
            Why::NoCredential => "authentication required",
            Why::WrongPassword => "the name or the password is wrong",
            Why::InvalidToken => "the token has expired, was revoked, or is not one of this registry's",
            Why::InsufficientScope => "the token does not give this access",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_clients_expect() {
        let challenge = |scope: Option<&str>, why| Challenge {
            origin: Some("https://r.example:5000".into()),
            service: "holdfast".into(),
            scope: scope.map(Into::into),
            why,
        };
        assert_eq!(
            challenge(None, Why::NoCredential).header(),
            r#"Bearer realm="https://r.example:5000/token",service="holdfast""#
        );
        assert_eq!(
            challenge(Some("repository:a/b:pull,push"), Why::InsufficientScope).header(),
            r#"Bearer realm="https://r.example:5000/token",service="holdfast",scope="repository:a/b:pull,push",error="insufficient_scope""#
        );
    }
}
