//! A forger's desk: keys, and access tokens made of any header and any claims. Written with a crypto library alone, so
//! that a mistake of the server in its own tokens cannot hide here.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use aws_lc_rs::{encoding::AsDer as _, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key pair for ES256.
pub struct ForgersKey(EcdsaKeyPair);

impl ForgersKey {
    /// A fresh one.
    pub fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key pair"))
    }

    /// The private key, as a configuration takes it.
    pub fn pem(&self) -> String {
        let der = self.0.to_pkcs8v1().expect("PKCS #8");
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
    }

    /// The public key, as other files have it.
    pub fn public_der(&self) -> Vec<u8> {
        self.0.public_key().as_der().expect("SPKI").as_ref().to_vec()
    }

    /// The public key as a JWK of this name.
    pub fn jwk(&self, kid: &str) -> Value {
        let point = self.0.public_key().as_ref();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid,
            "x": part(&point[1..33]), "y": part(&point[33..]) })
    }

    /// A signature, as JWS has it.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec()
    }

    /// A token with this key's signature.
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        forged(header, claims, |message| self.sign(message))
    }
}

/// A token of this header and these claims.
pub fn forged(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// A MAC with this secret, for whoever takes a public key for one.
pub fn mac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

/// The header and the claims of a token.
pub fn opened(token: &str) -> (Value, Value) {
    let part = |at: usize| {
        let text = token.split('.').nth(at).expect("three parts");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("JSON")
    };
    (part(0), part(1))
}

/// The same JSON object with one field of another value; `Null` takes it away.
pub fn with(value: &Value, name: &str, to: Value) -> Value {
    let mut changed = value.clone();
    let fields = changed.as_object_mut().expect("an object");
    if to.is_null() {
        fields.remove(name);
    } else {
        fields.insert(name.to_owned(), to);
    }
    changed
}
