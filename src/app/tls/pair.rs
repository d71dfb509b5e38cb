//! A certificate with its private key: read from PEM, and shown to belong together. It must not know where they
//! come from.

use chrono::DateTime;
use rustls::Error as TlsError;
use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::net::IpAddr;
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Certificates of a chain at most.
const CHAIN_MAX: usize = 16;
const DAY: i64 = 24 * 3600;

/// A certificate with its key.
#[derive(Clone)]
pub struct Pair {
    /// What the handshake shows.
    pub shown: Arc<CertifiedKey>,
    /// From when it is valid, in seconds since the epoch.
    pub begins: i64,
    /// Until when.
    pub ends: i64,
    /// The names and addresses that it is for.
    pub names: Vec<String>,
}

/// Why two texts are no certificate with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// No PEM.
    #[error("the certificate is not PEM: it needs lines from `-----BEGIN CERTIFICATE-----` on")]
    NoCertificate,
    /// PEM of something else, or broken.
    #[error("the certificate is broken: it does not read as X.509")]
    Certificate,
    /// Too long.
    #[error("the certificate's chain has more than 16 certificates")]
    Chain,
    /// No PEM.
    #[error("the key is not PEM: it needs lines from `-----BEGIN PRIVATE KEY-----` on")]
    NoKey,
    /// With a password.
    #[error(
        "the key is encrypted with a password; write it out without one (`openssl pkey -in KEY -out PLAIN`)"
    )]
    Encrypted,
    /// Broken or of a strange kind.
    #[error("the key is broken, or of a kind that is not spoken; RSA, ECDSA P-256 or P-384, and Ed25519 are")]
    Key,
    /// Of another pair.
    #[error(
        "the key does not belong to the certificate; where the file holds a chain, the server's own certificate \
         comes first"
    )]
    Mismatch,
}

impl Pair {
    /// Reads a chain, the server's own certificate first, and its key.
    pub fn parse(certificate: &[u8], key: &[u8]) -> Result<Self, Bad> {
        let chain = chain(certificate)?;
        let (begins, ends, names) = facts(chain.first().ok_or(Bad::NoCertificate)?)?;
        let key =
            default_provider().key_provider.load_private_key(private_key(key)?).map_err(|_| Bad::Key)?;
        let shown = CertifiedKey::new(chain, key);
        match shown.keys_match() {
            Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(TlsError::InconsistentKeys(_)) => return Err(Bad::Mismatch),
            Err(_) => return Err(Bad::Certificate),
        }
        Ok(Self { shown: Arc::new(shown), begins, ends, names })
    }

    /// What is wrong with its time, if something is.
    pub fn warning(&self, now: u64) -> Option<String> {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        if self.ends <= now {
            Some(format!("the certificate EXPIRED on {}: clients will refuse this server", day(self.ends)))
        } else if self.begins > now {
            Some(format!(
                "the certificate is valid from {} on only: clients will refuse this server",
                day(self.begins)
            ))
        } else if self.ends - now < (7 * DAY).min((self.ends - self.begins) / 4) {
            Some(format!("the certificate expires on {}", day(self.ends)))
        } else {
            None
        }
    }

    /// For the log and for people: the names, and until when.
    pub fn told(&self) -> String {
        let names = if self.names.is_empty() { "no name".to_owned() } else { self.names.join(", ") };
        format!("{names}, valid until {}", day(self.ends))
    }
}

fn day(secs: i64) -> String {
    DateTime::from_timestamp(secs, 0)
        .map_or_else(|| "?".to_owned(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Bad> {
    let mut chain = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        if chain.len() == CHAIN_MAX {
            return Err(Bad::Chain);
        }
        chain.push(certificate.map_err(|_| Bad::Certificate)?);
    }
    if chain.is_empty() { Err(Bad::NoCertificate) } else { Ok(chain) }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Bad> {
    const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];
    if ENCRYPTED.iter().any(|mark| pem.windows(mark.len()).any(|part| part == *mark)) {
        return Err(Bad::Encrypted);
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        PemError::NoItemsFound => Bad::NoKey,
        _ => Bad::Key,
    })
}

/// From when, until when, and for whom.
fn facts(certificate: &CertificateDer<'_>) -> Result<(i64, i64, Vec<String>), Bad> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| Bad::Certificate)?;
    let validity = parsed.validity();
    let names = match parsed.subject_alternative_name() {
        Ok(Some(names)) => names.value.general_names.iter().filter_map(name).collect(),
        _ => Vec::new(),
    };
    Ok((validity.not_before.timestamp(), validity.not_after.timestamp(), names))
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|four| IpAddr::from(four).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|six| IpAddr::from(six).to_string()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn made() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["r.example".into(), "192.0.2.7".into()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 4, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn parse(certificate: &str, key: &str) -> Result<Pair, Bad> {
        Pair::parse(certificate.as_bytes(), key.as_bytes())
    }

    #[test]
    fn a_pair_reads_with_its_names_and_times() {
        let (certificate, key) = made();
        let pair = parse(&certificate, &key).ok().unwrap();
        assert_eq!(pair.names, ["r.example", "192.0.2.7"]);
        assert_eq!((pair.begins, pair.ends), (1_577_836_800, 1_585_699_200));
        assert!(pair.told().contains("192.0.2.7, valid until 2020-04-01"), "{}", pair.told());
        // a file may hold both, and words between
        let both = format!("hello\n{key}\nand\n{certificate}");
        assert!(parse(&both, &both).is_ok());
    }

    #[test]
    fn a_bad_pair_is_refused_with_its_reason() {
        let ((certificate, key), (other, _)) = (made(), made());
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let torn = &certificate[..certificate.len() / 2];
        let chain = format!("{other}{certificate}");
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let broken_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (certificate, key, expected) in [
            ("", key.as_str(), Bad::NoCertificate),
            ("\u{30}\u{82}\u{1}", &key, Bad::NoCertificate),
            (&key, &key, Bad::NoCertificate),
            (torn, &key, Bad::Certificate),
            (garbage, &key, Bad::Certificate),
            (&certificate.repeat(CHAIN_MAX + 1), &key, Bad::Chain),
            (&certificate, "", Bad::NoKey),
            (&certificate, &certificate, Bad::NoKey),
            (&certificate, &encrypted, Bad::Encrypted),
            (&certificate, broken_key, Bad::Key),
            (&other, &key, Bad::Mismatch),
            (&chain, &key, Bad::Mismatch),
        ] {
            assert_eq!(parse(certificate, key).err(), Some(expected), "{expected}");
        }
    }

    #[test]
    fn time_that_is_over_or_near_its_end_is_told() {
        let (certificate, key) = made();
        let pair = parse(&certificate, &key).ok().unwrap();
        let at = |secs: i64| pair.warning(u64::try_from(secs).unwrap());
        assert!(at(pair.ends).unwrap().contains("EXPIRED"));
        assert!(at(pair.begins - 1).unwrap().contains("valid from"));
        assert!(at(pair.ends - 7 * DAY + 1).unwrap().contains("expires on"));
        assert_eq!(at(pair.ends - 7 * DAY), None);
        assert_eq!(at(pair.begins), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0_usize..2000, byte in any::<u8>(), certificate in any::<bool>()) {
            let (first, second) = made();
            let (mut first, mut second) = (first.into_bytes(), second.into_bytes());
            let hit = if certificate { &mut first } else { &mut second };
            let at = at % hit.len();
            hit[at] = byte;
            let _ = Pair::parse(&first, &second);
        }
    }
}
