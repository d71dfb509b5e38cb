//! A signing key as tokens see it: a key pair, the name by which a token calls it, and the header that is the same for
//! each token it signs. Knows neither claims nor where keys stand.

use crate::auth::algorithm::Algorithm;
use crate::auth::certificate;
use crate::auth::config::KeyId;
use crate::auth::error::{Error, Result};
use crate::auth::key_pair::KeyPair;
use crate::auth::public_key::Jwk;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Header};

/// A key that signs tokens and verifies them.
#[derive(Debug)]
pub struct Key {
    pair: KeyPair,
    created: u64,
    thumbprint: String,
    libtrust: String,
    /// The certificates that its tokens carry; none unless that is how they name their key.
    chain: Vec<String>,
    /// What `kid` its tokens have, and the JWK set too.
    kid: String,
    /// The header of its tokens, in base64url.
    header: String,
    decoding: DecodingKey,
}

impl Key {
    /// A key whose tokens name it in a certain way; `certificate` is a PEM text, or empty. Fails when its signatures
    /// do not verify or the certificate is for another key, so that this is known at the start.
    pub fn new(pair: KeyPair, created: u64, key_id: KeyId, certificate: &str) -> Result<Self> {
        let certificates = match (key_id, certificate) {
            (KeyId::X5c, "") => {
                return Err(Error::Key("x5c needs a key and a certificate from files".into()));
            }
            (_, "") => Vec::new(),
            // one that is for another key is a mistake even if no token carries it
            _ => certificate::chain(certificate, pair.public())?,
        };
        let (thumbprint, libtrust) = (pair.public().thumbprint(), pair.public().libtrust());
        let kid = if key_id == KeyId::Libtrust { libtrust.clone() } else { thumbprint.clone() };
        let mut header = Header::new(pair.algorithm().jws());
        if key_id == KeyId::X5c {
            // a verifier that finds both may look at the wrong one
            header.x5c = Some(certificates.clone());
        } else {
            header.kid = Some(kid.clone());
        }
        let header =
            serde_json::to_vec(&header).map_err(|_| Error::Key("a header could not be written".into()))?;
        let key = Self {
            created,
            thumbprint,
            libtrust,
            chain: if key_id == KeyId::X5c { certificates } else { Vec::new() },
            kid,
            header: URL_SAFE_NO_PAD.encode(header),
            decoding: pair.public().decoding_key(),
            pair,
        };
        let probe = URL_SAFE_NO_PAD.encode(key.pair.sign(b"probe")?);
        if key.verifies(b"probe", &probe) {
            Ok(key)
        } else {
            Err(Error::Key("the signatures of a key do not verify".into()))
        }
    }

    /// When it was made, in seconds since the Unix epoch.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.pair.algorithm()
    }

    /// Its RFC 7638 thumbprint, whatever its tokens call it.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether a `kid` means this key. Both forms do: replicas whose configuration is being changed understand each
    /// other, and a name alone proves nothing.
    pub fn is_called(&self, kid: &str) -> bool {
        kid == self.thumbprint || kid == self.libtrust
    }

    /// Whether these are exactly the certificates that its tokens carry.
    pub fn has_chain(&self, chain: &[String]) -> bool {
        !chain.is_empty() && chain == self.chain
    }

    /// As an entry of the public JWK set.
    pub fn jwk(&self) -> Jwk {
        self.pair.public().jwk(&self.kid)
    }

    /// A certificate that makes others trust it; see `certificate::certificate_pem`.
    pub fn certificate_pem(&self, name: &str) -> Result<String> {
        certificate::certificate_pem(&self.pair, name)
    }

    /// A whole token around a payload: JWS compact serialization (RFC 7515, section 7.1). Nothing is signed that would
    /// be longer than `bytes_max`.
    pub fn token(&self, payload: &[u8], bytes_max: usize) -> Result<Option<String>> {
        let mut token = self.header.clone();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        if token.len() >= bytes_max {
            return Ok(None);
        }
        let signature = self.pair.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok((token.len() <= bytes_max).then_some(token))
    }

    /// Whether a signature in base64url is by this key, with its algorithm and no other.
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.decoding, self.algorithm().jws())
            .unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn key(algorithm: Algorithm, key_id: KeyId) -> Key {
        Key::new(KeyPair::generate(algorithm).unwrap(), 7, key_id, "").unwrap()
    }

    fn header(token: &str) -> Value {
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice(&header).unwrap()
    }

    #[test]
    fn a_token_names_its_key_in_the_configured_way() {
        for algorithm in Algorithm::ALL {
            for key_id in [KeyId::Thumbprint, KeyId::Libtrust] {
                let key = key(algorithm, key_id);
                let kid = if key_id == KeyId::Libtrust { &key.libtrust } else { &key.thumbprint };
                let token = key.token(b"{}", 4096).unwrap().unwrap();
                assert_eq!(header(&token), json!({"typ": "JWT", "alg": algorithm.as_str(), "kid": kid}));
                assert_eq!(serde_json::to_value(key.jwk()).unwrap()["kid"], json!(kid));
                let (message, signature) = token.rsplit_once('.').unwrap();
                assert!(key.verifies(message.as_bytes(), signature));
                assert!(key.is_called(&key.thumbprint) && key.is_called(&key.libtrust) && !key.is_called(""));
                assert!(!key.has_chain(&[]));
            }
        }
    }

    #[test]
    fn with_x5c_a_token_carries_the_chain_and_no_kid() {
        let pair = KeyPair::generate(Algorithm::Rs256).unwrap();
        let pem = certificate::certificate_pem(&pair, "us").unwrap();
        let key = Key::new(pair, 7, KeyId::X5c, &pem).unwrap();
        let token = key.token(b"{}", 4096).unwrap().unwrap();
        let chain = key.chain.clone();
        assert_eq!(header(&token), json!({"typ": "JWT", "alg": "RS256", "x5c": chain}));
        assert!(key.has_chain(&chain) && !key.has_chain(&[chain.clone(), chain].concat()));
        assert!(Key::new(KeyPair::generate(Algorithm::Rs256).unwrap(), 7, KeyId::X5c, "").is_err());
    }

    #[test]
    fn a_certificate_of_another_key_is_refused_even_if_no_token_carries_it() {
        let pem = certificate::certificate_pem(&KeyPair::generate(Algorithm::Es256).unwrap(), "us").unwrap();
        for key_id in [KeyId::Thumbprint, KeyId::Libtrust, KeyId::X5c] {
            let error = Key::new(KeyPair::generate(Algorithm::Es256).unwrap(), 7, key_id, &pem).unwrap_err();
            assert!(error.to_string().contains("another key"), "{error}");
        }
    }

    #[test]
    fn a_token_that_is_too_long_is_not_made() {
        let key = key(Algorithm::Es256, KeyId::Thumbprint);
        let length = key.token(&[b' '; 300], 4096).unwrap().unwrap().len();
        assert!(key.token(&[b' '; 300], length).unwrap().is_some());
        for bytes_max in [length - 1, 100, 0] {
            assert_eq!(key.token(&[b' '; 300], bytes_max).unwrap(), None);
        }
    }
}
