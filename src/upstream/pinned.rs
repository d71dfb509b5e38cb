//! Certificates that a user names: those of authorities, and the one that a registry made for itself. The second is what
//! most private registries show, made by one line of openssl, and it says of itself that it is an authority, which the
//! usual verification refuses in a server.

use crate::upstream::error::Error;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// A configuration that believes what these certificates have signed, and these certificates.
pub fn config(authorities: &[CertificateDer<'static>]) -> Result<ClientConfig, Error> {
    let told =
        |e: &dyn std::fmt::Display| Error::Here(format!("the certificates of --ca cannot be used: {e}"));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Pinned::new(authorities, &provider).map_err(|e| told(&e))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| told(&e))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The usual verification, and what it refuses only because a named certificate is shown by its owner.
#[derive(Debug)]
struct Pinned {
    named: Vec<CertificateDer<'static>>,
    usual: Arc<WebPkiServerVerifier>,
}

impl Pinned {
    fn new(named: &[CertificateDer<'static>], provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for certificate in named {
            roots.add(certificate.clone()).map_err(|e| e.to_string())?;
        }
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        Ok(Self { named: named.to_vec(), usual: usual.build().map_err(|e| e.to_string())? })
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let usual = self.usual.verify_server_cert(shown, intermediates, name, ocsp, now);
        match usual {
            Err(error) if is_of_an_authority(&error) && self.named.iter().any(|named| named == shown) => {
                // It was found valid at this time before that: what is left is whether it is for this name.
                rustls::client::verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            usual => usual,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Whether the only thing wrong is that a server shows the certificate of an authority. rustls has no variant for it.
fn is_of_an_authority(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    format!("{:?}", other.0) == "CaUsedAsEndEntity"
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    /// When these tests take place: 2026-01-02.
    const NOW: u64 = 1_767_312_000;

    fn verified(shown: &CertificateDer<'_>, named: &CertificateDer<'static>, name: &str, now: u64) -> bool {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pinned = Pinned::new(std::slice::from_ref(named), &provider).unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
        pinned.verify_server_cert(shown, &[], &name, &[], now).is_ok()
    }

    fn parameters(name: &str, authority: bool) -> CertificateParams {
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2025, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2027, 1, 1);
        if authority {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        parameters
    }

    #[test]
    fn a_certificate_that_a_registry_made_for_itself_is_believed_when_it_is_named() {
        for authority in [true, false] {
            let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
            let parameters = parameters("r.example.com", authority);
            let own = parameters.self_signed(&key).unwrap().der().clone();
            let forged = parameters.self_signed(&other).unwrap().der().clone();
            assert!(verified(&own, &own, "r.example.com", NOW), "authority: {authority}");
            assert!(!verified(&own, &own, "s.example.com", NOW), "another name");
            assert!(!verified(&own, &own, "r.example.com", NOW + 366 * 86_400), "later");
            assert!(!verified(&own, &own, "r.example.com", NOW - 2 * 366 * 86_400), "earlier");
            assert!(!verified(&forged, &own, "r.example.com", NOW), "another key");
        }
    }

    #[test]
    fn what_a_named_authority_has_signed_is_believed() {
        let (key, own) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let authority = parameters("authority.example.com", true);
        let named = authority.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(authority, &key);
        let signed = parameters("r.example.com", false).signed_by(&own, &issuer).unwrap();
        assert!(verified(signed.der(), &named, "r.example.com", NOW));
        assert!(!verified(signed.der(), &named, "s.example.com", NOW));
        let alone = parameters("r.example.com", false).self_signed(&own).unwrap();
        assert!(!verified(alone.der(), &named, "r.example.com", NOW));
    }
}
