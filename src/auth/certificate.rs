//! Certificates around signing keys: one of our own, so that a registry:2 can be told to trust a key, and the chain
//! of somebody else's that a token may carry. Knows no tokens; TLS has its own elsewhere.

use crate::auth::algorithm::Algorithm;
use crate::auth::error::{Error, Result};
use crate::auth::key_pair::KeyPair;
use crate::auth::public_key::PublicKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, IsCa, KeyUsagePurpose};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::ParsedCertificate;

/// The chain is in each token, and a token must fit into a header.
const CHAIN_CERTIFICATES_MAX: usize = 5;
const CHAIN_BYTES_MAX: usize = 64 << 10;
/// Longest common name (RFC 5280, appendix A.1, `ub-common-name`).
const NAME_BYTES_MAX: usize = 64;

/// A certificate for a key, signed by itself: what `REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE` of a registry:2 or
/// registry:3 wants. It may sign tokens and no other certificate, and it does not expire: the file is what is trusted.
pub fn certificate_pem(pair: &KeyPair, name: &str) -> Result<String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(Error::Invalid(
            "the name of a certificate has 1 to 64 bytes and no control characters".into(),
        ));
    }
    let failed = |error: rcgen::Error| Error::Key(format!("a certificate could not be made: {error}"));
    let algorithm = match pair.algorithm() {
        Algorithm::Es256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Algorithm::EdDsa => &rcgen::PKCS_ED25519,
        Algorithm::Rs256 => &rcgen::PKCS_RSA_SHA256,
    };
    let pem = pair.to_pem()?;
    let signer = rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(pem.expose(), algorithm).map_err(failed)?;
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(9999, 12, 31); // RFC 5280, section 4.1.2.5: no expiration
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(params.self_signed(&signer).map_err(failed)?.pem())
}

/// The certificates of a PEM text as the `x5c` of a token wants them (RFC 7515, section 4.1.6). The first must hold
/// our key: a verifier would refuse every token otherwise.
pub fn chain(pem: &str, key: &PublicKey) -> Result<Vec<String>> {
    let fault = |why: &str| Error::Key(why.to_owned());
    if pem.len() > CHAIN_BYTES_MAX {
        return Err(fault("the file of the certificate is larger than 64 KiB"));
    }
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| fault("the certificate is no PEM"))?;
    let leaf = certificates.first().ok_or_else(|| fault("there is no certificate in it; PEM is wanted"))?;
    if certificates.len() > CHAIN_CERTIFICATES_MAX {
        return Err(fault("there are more than 5 certificates in it: a token must fit into a header"));
    }
    let parsed =
        ParsedCertificate::try_from(leaf).map_err(|_| fault("the certificate is no X.509 of version 3"))?;
    if parsed.subject_public_key_info().as_ref() != key.spki() {
        return Err(fault("the first certificate is for another key"));
    }
    Ok(certificates.iter().map(|certificate| STANDARD.encode(certificate)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_certificate_holds_its_key_and_no_other() {
        for algorithm in Algorithm::ALL {
            let (pair, other) =
                (KeyPair::generate(algorithm).unwrap(), KeyPair::generate(algorithm).unwrap());
            let pem = certificate_pem(&pair, "holdfast").unwrap();
            let chain = super::chain(&pem, pair.public()).unwrap();
            assert_eq!(chain.len(), 1);
            let base64: String = pem.lines().filter(|line| !line.starts_with('-')).map(str::trim).collect();
            assert_eq!(chain[0], base64);
            let error = super::chain(&pem, other.public()).unwrap_err().to_string();
            assert!(error.contains("another key"), "{error}");
        }
    }

    #[test]
    fn a_chain_keeps_its_order_and_is_bounded() {
        let (leaf, root) =
            (KeyPair::generate(Algorithm::Es256).unwrap(), KeyPair::generate(Algorithm::Es256).unwrap());
        let (a, b) = (certificate_pem(&leaf, "a").unwrap(), certificate_pem(&root, "b").unwrap());
        let both = chain(&format!("{a}{b}"), leaf.public()).unwrap();
        assert_eq!(both, [chain(&a, leaf.public()).unwrap(), chain(&b, root.public()).unwrap()].concat());
        assert!(chain(&format!("{b}{a}"), leaf.public()).is_err());
        assert!(chain(&a.repeat(6), leaf.public()).is_err());
        assert!(chain(&a.repeat(1000), leaf.public()).is_err());
        for bad in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(chain(bad, leaf.public()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_checked() {
        let pair = KeyPair::generate(Algorithm::Es256).unwrap();
        for bad in ["", "a\nb", &"x".repeat(65)] {
            assert!(certificate_pem(&pair, bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(der in proptest::collection::vec(any::<u8>(), 0..300)) {
            let pair = KeyPair::generate(Algorithm::Es256).unwrap();
            let pem = format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                STANDARD.encode(der)
            );
            prop_assert!(chain(&pem, pair.public()).is_err());
        }
    }
}
