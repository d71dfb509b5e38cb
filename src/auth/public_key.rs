//! The public half of a signing key, and the names that others find it by: as a JWK, by its RFC 7638 thumbprint, by
//! the fingerprint of libtrust. Never sees a private key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    parts: Parts,
    spki: Vec<u8>,
}

/// What it is made of, as raw big-endian bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parts {
    /// A point on P-256: coordinates of 32 bytes each, leading zeros kept (RFC 7518, section 6.2.1.2).
    P256 {
        /// The first coordinate.
        x: [u8; 32],
        /// The second one.
        y: [u8; 32],
    },
    /// A key of Ed25519.
    Ed25519 {
        /// The key.
        x: [u8; 32],
    },
    /// A key of RSA, without leading zeros (RFC 7518, section 6.3.1).
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The public exponent.
        e: Vec<u8>,
    },
}

/// The members of a JWK that its thumbprint covers, in the order that RFC 7638, section 3, asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Required {
    Curve {
        crv: &'static str,
        kty: &'static str,
        x: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        y: Option<String>,
    },
    Rsa {
        e: String,
        kty: &'static str,
        n: String,
    },
}

/// A key of a JWK set (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kid: String,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    #[serde(flatten)]
    required: Required,
}

impl PublicKey {
    /// A key of these parts, and the same as a DER `SubjectPublicKeyInfo`.
    pub fn new(parts: Parts, spki: Vec<u8>) -> Self {
        Self { parts, spki }
    }

    /// As a DER `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7).
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Whether a coordinate begins with a zero byte. distribution v3.1 forgets such bytes and computes another
    /// thumbprint than RFC 7638 asks for.
    pub fn has_leading_zero(&self) -> bool {
        matches!(&self.parts, Parts::P256 { x: [0, ..], .. } | Parts::P256 { y: [0, ..], .. })
    }

    /// The JWK thumbprint with SHA-256 (RFC 7638), in base64url.
    pub fn thumbprint(&self) -> String {
        // values are base64url and fixed words, so this cannot fail; and a struct is written in its own order
        let canonical = serde_json::to_vec(&self.required()).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
    }

    /// The fingerprint that libtrust, and with it registry:2, knows a key by.
    pub fn libtrust(&self) -> String {
        let digest = Sha256::digest(&self.spki);
        let text = base32(digest.as_slice().get(..30).unwrap_or_default());
        text.as_bytes()
            .chunks(4)
            .map(|group| String::from_utf8_lossy(group).into_owned())
            .collect::<Vec<_>>()
            .join(":")
    }

    /// As an entry of a JWK set.
    pub fn jwk(&self, kid: &str) -> Jwk {
        let alg = match self.parts {
            Parts::P256 { .. } => "ES256",
            Parts::Ed25519 { .. } => "EdDSA",
            Parts::Rsa { .. } => "RS256",
        };
        Jwk { kid: kid.to_owned(), alg, usage: "sig", required: self.required() }
    }

    /// As the JWT library wants it.
    pub fn decoding_key(&self) -> DecodingKey {
        match &self.parts {
            Parts::P256 { x, y } => DecodingKey::from_ec_der(&[&[4], x.as_slice(), y.as_slice()].concat()),
            Parts::Ed25519 { x } => DecodingKey::from_ed_der(x),
            Parts::Rsa { n, e } => DecodingKey::from_rsa_raw_components(n, e),
        }
    }

    fn required(&self) -> Required {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.parts {
            Parts::P256 { x, y } => Required::Curve { crv: "P-256", kty: "EC", x: text(x), y: Some(text(y)) },
            Parts::Ed25519 { x } => Required::Curve { crv: "Ed25519", kty: "OKP", x: text(x), y: None },
            Parts::Rsa { n, e } => Required::Rsa { e: text(e), kty: "RSA", n: text(n) },
        }
    }
}

/// Base32 of RFC 4648 without padding, for lengths that need none: a multiple of five bytes.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |bits: u64| ALPHABET.get((bits & 31) as usize).map_or('A', |&letter| char::from(letter));
    let mut text = String::with_capacity(bytes.len() * 8 / 5);
    for five in bytes.chunks(5) {
        let bits = five.iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
        text.extend((0..8).rev().map(|at| letter(bits >> (at * 5))));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    #[test]
    fn the_thumbprint_of_rfc_7638() {
        // RFC 7638, section 3.1
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP\
                 ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY\
                 368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f\
                 M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let key = PublicKey::new(Parts::Rsa { n: bytes(n), e: bytes("AQAB") }, Vec::new());
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn the_thumbprint_of_rfc_8037() {
        // RFC 8037, appendix A.3
        let x = bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").try_into().unwrap();
        let key = PublicKey::new(Parts::Ed25519 { x }, Vec::new());
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_coordinate_keeps_its_leading_zeros() {
        let mut x = [7; 32];
        x[0] = 0;
        let key = PublicKey::new(Parts::P256 { x, y: [9; 32] }, Vec::new());
        assert!(key.has_leading_zero());
        let jwk = serde_json::to_value(key.jwk("k")).unwrap();
        assert_eq!(bytes(jwk["x"].as_str().unwrap()), x);
        assert!(!PublicKey::new(Parts::P256 { x: [7; 32], y: [9; 32] }, Vec::new()).has_leading_zero());
    }

    #[test]
    fn base32_of_rfc_4648() {
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
        assert_eq!(base32(b"foobafooba"), "MZXW6YTBMZXW6YTB");
        assert_eq!(base32(&[0; 5]), "AAAAAAAA");
        assert_eq!(base32(&[255; 5]), "77777777");
    }
}
