//! A key pair that signs: made, read from what `openssl` and others write, and written as PKCS #8. Knows nothing of
//! tokens, of key names or of where a key stands.

use crate::auth::algorithm::Algorithm;
use crate::auth::error::{Error, Result};
use crate::auth::public_key::{Parts, PublicKey};
use crate::secret::Secret;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use std::fmt;

/// No key that we can use is so large.
const PEM_BYTES_MAX: usize = 64 << 10;

/// A private key and its public half.
pub struct KeyPair {
    private: Private,
    public: PublicKey,
}

enum Private {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl KeyPair {
    /// Makes a new one. For RSA this takes a good part of a second.
    pub fn generate(algorithm: Algorithm) -> Result<Self> {
        let failed = |_| Error::Key(format!("a key for {} could not be made", algorithm.as_str()));
        loop {
            let pair = Self::of(match algorithm {
                Algorithm::Es256 => {
                    Private::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?)
                }
                Algorithm::EdDsa => Private::Ed(Ed25519KeyPair::generate().map_err(failed)?),
                Algorithm::Rs256 => {
                    Private::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?))
                }
            })?;
            // one key in 128 would have another name in distribution v3.1 than with us
            if !pair.public.has_leading_zero() {
                return Ok(pair);
            }
        }
    }

    /// Reads the first private key of a PEM text: PKCS #8, SEC 1 or PKCS #1. The key itself tells its algorithm.
    pub fn from_pem(pem: &Secret) -> Result<Self> {
        let fault = |why: &str| Error::Key(why.to_owned());
        let text = pem.expose();
        if text.len() > PEM_BYTES_MAX {
            return Err(fault("the file of the key is larger than 64 KiB"));
        }
        if text.contains("ENCRYPTED") {
            return Err(fault("the key is encrypted; `openssl pkcs8 -in KEY -out PLAIN` writes it in plain"));
        }
        let der = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
            fault("there is no private key in it: PEM is wanted, as PKCS #8, SEC 1 or PKCS #1")
        })?;
        let unfit = || fault("the key is none of P-256, Ed25519 and RSA of 2048 to 8192 bits, or is damaged");
        let private = match &der {
            PrivateKeyDer::Pkcs8(der) => Private::pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Sec1(der) => {
                EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_sec1_der())
                    .ok()
                    .map(Private::Ec)
            }
            PrivateKeyDer::Pkcs1(der) => {
                RsaKeyPair::from_der(der.secret_pkcs1_der()).ok().map(|pair| Private::Rsa(Box::new(pair)))
            }
            _ => None,
        };
        Self::of(private.ok_or_else(unfit)?)
    }

    fn of(private: Private) -> Result<Self> {
        let public = private.public().ok_or_else(|| Error::Key("a public key does not read".into()))?;
        Ok(Self { private, public })
    }

    /// As PKCS #8, PEM.
    pub fn to_pem(&self) -> Result<Secret> {
        let failed = |_| Error::Key("a key could not be written".into());
        let pem = |der: &[u8]| Secret::new(pem("PRIVATE KEY", der));
        Ok(match &self.private {
            Private::Ec(pair) => pem(pair.to_pkcs8v1().map_err(failed)?.as_ref()),
            Private::Ed(pair) => pem(pair.to_pkcs8v1().map_err(failed)?.as_ref()),
            Private::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                pem(der.as_ref())
            }
        })
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        match self.private {
            Private::Ec(_) => Algorithm::Es256,
            Private::Ed(_) => Algorithm::EdDsa,
            Private::Rsa(_) => Algorithm::Rs256,
        }
    }

    /// The half that anybody may know.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of a message, in the form of JWS (RFC 7518, section 3; RFC 8037).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let failed = |_| Error::Key("a signature could not be made".into());
        Ok(match &self.private {
            Private::Ec(pair) => pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec(),
            Private::Ed(pair) => pair.try_sign(message).map_err(failed)?.as_ref().to_vec(),
            Private::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(failed)?;
                signature
            }
        })
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

impl Private {
    fn pkcs8(der: &[u8]) -> Option<Self> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .map(Self::Ec)
            .or_else(|_| Ed25519KeyPair::from_pkcs8(der).map(Self::Ed))
            .or_else(|_| RsaKeyPair::from_pkcs8(der).map(|pair| Self::Rsa(Box::new(pair))))
            .ok()
    }

    fn public(&self) -> Option<PublicKey> {
        let spki = |der: PublicKeyX509Der<'_>| der.as_ref().to_vec();
        match self {
            Self::Ec(pair) => {
                // uncompressed: 4, x, y (SEC 1, section 2.3.3)
                let (form, point) = pair.public_key().as_ref().split_first()?;
                let (x, y) = point.split_first_chunk::<32>()?;
                let parts = Parts::P256 { x: *x, y: y.try_into().ok()? };
                (*form == 4).then_some(PublicKey::new(parts, spki(pair.public_key().as_der().ok()?)))
            }
            Self::Ed(pair) => {
                let x = pair.public_key().as_ref().try_into().ok()?;
                Some(PublicKey::new(Parts::Ed25519 { x }, spki(pair.public_key().as_der().ok()?)))
            }
            Self::Rsa(pair) => {
                let public = pair.public_key();
                let n = public.modulus().big_endian_without_leading_zero().to_vec();
                let e = public.exponent().big_endian_without_leading_zero().to_vec();
                Some(PublicKey::new(Parts::Rsa { n, e }, spki(public.as_der().ok()?)))
            }
        }
    }
}

/// A PEM text (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // The key of the example in docker-auth-jwt, with the name that it gives it; both forms written by OpenSSL.
    const PKCS8: &str = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgR7OnbfMaD5J2jl7G\n\
        eE8ESo7CnHSBm/1N2k9IXYFrKJChRANCAASbvNSnHdv7OZUTlzKZKzrg84b1BzIS\n\
        klpgIPzb7nj39HVN24s/LGf/BjwfqHZvFsc95TQ69cXAEED0GjnK9X5n\n-----END PRIVATE KEY-----\n";
    const SEC1: &str = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
        -----BEGIN EC PRIVATE KEY-----\n\
        MHcCAQEEIEezp23zGg+Sdo5exnhPBEqOwpx0gZv9TdpPSF2BayiQoAoGCCqGSM49\n\
        AwEHoUQDQgAEm7zUpx3b+zmVE5cymSs64POG9QcyEpJaYCD82+549/R1TduLPyxn\n\
        /wY8H6h2bxbHPeU0OvXFwBBA9Bo5yvV+Zw==\n-----END EC PRIVATE KEY-----\n";

    fn read(pem: &str) -> Result<KeyPair> {
        KeyPair::from_pem(&Secret::new(pem))
    }

    #[test]
    fn the_key_of_the_specification_has_its_name() {
        for pem in [PKCS8, SEC1, &format!("note\n{}", PKCS8.replace('\n', "\r\n"))] {
            let pair = read(pem).unwrap();
            assert_eq!(pair.algorithm(), Algorithm::Es256);
            let name = "PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6";
            assert_eq!(pair.public().libtrust(), name);
            let jwk = serde_json::to_value(pair.public().jwk(name)).unwrap();
            assert_eq!(jwk["x"], "m7zUpx3b-zmVE5cymSs64POG9QcyEpJaYCD82-549_Q");
            assert_eq!(jwk["y"], "dU3biz8sZ_8GPB-odm8Wxz3lNDr1xcAQQPQaOcr1fmc");
            assert_eq!(
                (&jwk["alg"], &jwk["kty"], &jwk["crv"]),
                (&"ES256".into(), &"EC".into(), &"P-256".into())
            );
            assert_eq!((&jwk["use"], &jwk["kid"]), (&"sig".into(), &name.into()));
            assert_eq!(pair.public().thumbprint(), THUMBPRINT);
            assert_eq!(pair.to_pem().unwrap().expose(), PKCS8);
        }
    }
    // by hashlib: SHA-256 of {"crv":"P-256","kty":"EC","x":"m7zU..","y":"dU3b.."}
    const THUMBPRINT: &str = "8qjioA3ZA7ti2JIE7c-U8smBFuZolQZvhSHDPU3hhB8";
    // both by OpenSSL
    const P384: &str = "-----BEGIN PRIVATE KEY-----\n\
        MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDzNXkfuboulqB1ZRp8\n\
        tBhP5zY/noXXeSfhxsJkTKesN4M8bLq7zmupLWN6Vd7PsYChZANiAATlwcIlQ8X/\n\
        ZDoNSYniS8OhPJewZBC6i+Dnvc4GzKxRHXUqirq11xC8fOfKl8moQJn1vxrU0GSN\n\
        aMQbcsLNQwdrT0p31OzuYtM3ysyny+Cz7CmIvMmEYODAHfVlnbkztgo=\n-----END PRIVATE KEY-----\n";
    const RSA_OF_1024_BITS: &str = "-----BEGIN RSA PRIVATE KEY-----\n\
        MIICXAIBAAKBgQD54+A+nFF/bC2VKQPc4vcpdw52EiU4qUC1X6PhxiBsOFzAuPhk\n\
        ZMQjNkCs3u+kSlBY/6US/nr1UI0W6x+plav4fkRgocxnSpkNLsvi2g/Pnda3syM+\n\
        NZ1MFhhAliJpwSXYMF4QmBq7a7k2ga4gRpI9qFcm7WrXFwJ3atRewN5A5QIDAQAB\n\
        AoGABoYjgZ71Jb1+Ryml9ytZxpRcJUr9+8e3b8TKc4eHqyuhiEqL+ZsD3+N3tsuv\n\
        N/vUsy4hciiAr0zmEhYbYoMM1UfJiMbXmXTgdB86qIyfc6E7jTv9go+3H9JJTI8Q\n\
        6LmvsiKozJiIaj06WQOKJf2IIE1Kos2I/AK9dfRneAuibcECQQD/l3PUkaK/Lx4g\n\
        wRLptaFj9si7kI7tb39n3GkHNPebi8Lcqun+1SKwVwaxXaUhVa+WwujMfsvE/GbR\n\
        ZUlUxslRAkEA+koXYxe2QmmifzAZzyLu1ZokAEoJUc022XS4iEYzqo0X0T2pKtnB\n\
        Ls1tn6nf4zyUcJjd5bRNyv7twhE0YMyZVQJAEJMnxc8z+KX7lDAxI8rNjogAeHll\n\
        a2xhnMCkZv0+WW300w6aYhY8S6c5HeNuw/ykiGhXZHuMh1e+6zFgUgkaIQJAEde2\n\
        UxodpB5jty12qY2T+SZD6sFcaLh4cIghn5VhmYb1a7U5mhRr8Soz5m31x/1Jl71O\n\
        FFIGObJywKL5WO09AQJBANrLKEO/Fx2BavdM9A0pgxPFWECtS7kUzmYyh151yLqL\n\
        oTgjEy2+dlrhsuGW+piyL8eWd9cMDVYGQjPZYG1BA60=\n-----END RSA PRIVATE KEY-----\n";
    const ED25519: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJaNmI+Av//lC1EO30lQGxSZ19HlGiC67sHwBh12JH+Q\n-----END PRIVATE KEY-----\n";

    #[test]
    fn the_forms_that_openssl_writes_are_read() {
        assert_eq!(read(ED25519).unwrap().algorithm(), Algorithm::EdDsa);
        let made = KeyPair::generate(Algorithm::Rs256).unwrap();
        let text = made.to_pem().unwrap();
        let der = STANDARD
            .decode(text.expose().lines().filter(|l| !l.starts_with('-')).collect::<String>())
            .unwrap();
        // PKCS #8 of RSA is 26 bytes around PKCS #1
        let read = read(&pem("RSA PRIVATE KEY", &der[26..])).unwrap();
        assert_eq!((read.algorithm(), read.public()), (Algorithm::Rs256, made.public()));
    }

    #[test]
    fn what_is_made_reads_again_and_signs_what_its_public_half_verifies() {
        for algorithm in Algorithm::ALL {
            let pair = KeyPair::generate(algorithm).unwrap();
            let again = read(pair.to_pem().unwrap().expose()).unwrap();
            assert_eq!((again.algorithm(), again.public()), (algorithm, pair.public()));
            let signature =
                base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(again.sign(b"text").unwrap());
            let verify = |text: &[u8]| {
                let key = pair.public().decoding_key();
                jsonwebtoken::crypto::verify(&signature, text, &key, algorithm.jws()).unwrap()
            };
            assert!(verify(b"text") && !verify(b"texs"), "{algorithm:?}");
        }
    }

    #[test]
    fn no_made_key_has_a_coordinate_that_begins_with_zero() {
        for _ in 0..1000 {
            assert!(!KeyPair::generate(Algorithm::Es256).unwrap().public().has_leading_zero());
        }
    }

    #[test]
    fn a_key_is_not_told_by_debug() {
        let text = format!("{:?}", read(PKCS8).unwrap());
        assert!(!text.contains("71, 179, 167, 109"), "{text}"); // how the private number begins
    }

    #[test]
    fn what_is_no_key_for_us_is_refused_in_words() {
        for (pem, part) in [
            ("", "no private key"),
            ("hello", "no private key"),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no private key"),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
                "encrypted",
            ),
            ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n", "encrypted"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "damaged"),
            (P384, "none of P-256"),
            (RSA_OF_1024_BITS, "none of P-256"),
            (&" ".repeat(PEM_BYTES_MAX + 1), "64 KiB"),
        ] {
            let error = read(pem).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC{0,200}", der in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&text);
            for label in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"] {
                let _ = read(&pem(label, &der));
            }
        }

        #[test]
        fn a_damaged_key_never_panics(at in 0..138_usize, bit in 0..8_u8) {
            let text: String = PKCS8.lines().filter(|line| !line.starts_with('-')).collect();
            let mut der = STANDARD.decode(text).unwrap();
            der[at] ^= 1 << bit;
            let _ = read(&pem("PRIVATE KEY", &der));
        }
    }
}
