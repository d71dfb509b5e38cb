//! Certificates that we sign ourselves: the answer to a TLS-ALPN-01 challenge (RFC 8737), and what is shown until
//! the first true one is there. Nobody is meant to trust them.

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// What goes wrong when there is no randomness, or a name is none.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What is shown before there is anything better.
pub fn temporary(names: &[String]) -> Result<Arc<CertifiedKey>, Error> {
    made(&CertificateParams::new(names)?)
}

/// The answer to a challenge: the digest of its key authorization, in a certificate for that name alone.
pub fn challenge(name: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, Error> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    made(&params)
}

fn made(params: &CertificateParams) -> Result<Arc<CertifiedKey>, Error> {
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // Not `from_der`, which reads the certificate to compare the keys, and stumbles over the answer of a challenge.
    let key = default_provider().key_provider.load_private_key(key)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate], key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::{FromDer, X509Certificate};

    #[test]
    fn the_answer_to_a_challenge_is_as_rfc_8737_has_it() {
        let made = challenge("r.example", &[7; 32]).unwrap();
        let (_, read) = X509Certificate::from_der(&made.cert[0]).unwrap();
        let names = read.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names.len(), 1);
        let answer =
            read.extensions().iter().find(|it| it.oid.to_id_string() == "1.3.6.1.5.5.7.1.31").unwrap();
        assert!(answer.critical);
        assert_eq!(answer.value, [&[4, 32][..], &[7; 32]].concat());
    }
}
