//! The algorithms that access tokens are signed with. Only asymmetric ones have a name here: `none` and the HS
//! family cannot be asked for, neither by a configuration nor by a token.

use serde::{Deserialize, Serialize};

/// A signature algorithm, as JWS names it (RFC 7518, section 3.1; RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256: what the oldest verifiers take.
    #[serde(rename = "RS256")]
    Rs256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// Its name in the header of a token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    /// As the JWT library calls it.
    pub fn jws(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_everywhere() {
        for algorithm in Algorithm::ALL {
            let text = format!("\"{}\"", algorithm.as_str());
            assert_eq!(serde_json::to_string(&algorithm).unwrap(), text);
            assert_eq!(serde_json::to_string(&algorithm.jws()).unwrap(), text);
            assert_eq!(serde_json::from_str::<Algorithm>(&text).unwrap(), algorithm);
        }
        for none in ["\"none\"", "\"HS256\"", "\"es256\"", "\"\"", "null"] {
            assert!(serde_json::from_str::<Algorithm>(none).is_err(), "{none}");
        }
    }
}
