//! Whose certificates are believed, and the connections that follow from it. What is said of a registry's certificate
//! is said of its host alone: where it sends us on to is always verified.

use crate::upstream::address::Address;
use crate::upstream::error::{Error, deepest};
use crate::upstream::patience::Patience;
use crate::upstream::pinned;
use reqwest::{Certificate, Client, ClientBuilder, Url, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::OnceLock;

/// Largest file of certificates that is read.
const CA_BYTES_MAX: u64 = 4 << 20;

/// Whose certificates are believed.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    authorities: Vec<CertificateDer<'static>>,
    insecure: bool,
}

impl Trust {
    /// The system's authorities; for the registry's host those of a file instead, if there is one; or, if `insecure`,
    /// whoever answers under the registry's name.
    pub fn new(ca: Option<&Path>, insecure: bool) -> Result<Self, Error> {
        let Some(path) = ca else { return Ok(Self { authorities: Vec::new(), insecure }) };
        let refused = |why: String| Error::Here(format!("the certificates in {}: {why}", path.display()));
        let length = std::fs::metadata(path).map_err(|e| refused(e.to_string()))?.len();
        if length > CA_BYTES_MAX {
            return Err(refused(format!("the file is larger than {CA_BYTES_MAX} bytes")));
        }
        let pem = std::fs::read(path).map_err(|e| refused(e.to_string()))?;
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let authorities = read.map_err(|e| refused(format!("they are not in PEM form: {e}")))?;
        if authorities.is_empty() {
            return Err(refused("there are none in PEM form".into()));
        }
        Ok(Self { authorities, insecure })
    }

    /// What follows for connections to the registry's own host.
    fn own(&self, builder: ClientBuilder) -> Result<ClientBuilder, Error> {
        if self.insecure {
            return Ok(builder.tls_danger_accept_invalid_certs(true));
        }
        if self.authorities.is_empty() {
            return Ok(builder);
        }
        Ok(builder.tls_backend_preconfigured(pinned::config(&self.authorities)?))
    }
}

/// Connections, by where they lead. Each kind is made when it is first needed: a machine without certificates of
/// authorities can still speak plain HTTP, and to its own server.
#[derive(Debug)]
pub struct Roads {
    address: Address,
    trust: Trust,
    patience: Patience,
    socket: OnceLock<Client>,
    plain: OnceLock<Client>,
    own: OnceLock<Client>,
    other: OnceLock<Client>,
}

impl Roads {
    /// Roads to a registry and to where it sends us.
    pub fn new(address: Address, trust: Trust, patience: Patience) -> Self {
        let (socket, plain, own, other) = <(OnceLock<_>, OnceLock<_>, OnceLock<_>, OnceLock<_>)>::default();
        Self { address, trust, patience, socket, plain, own, other }
    }

    /// The connections on which a URL is asked for.
    pub fn to(&self, url: &Url) -> Result<&Client, Error> {
        // Where nothing is verified, the system's authorities need not be there.
        if let Some(path) = self.address.socket().filter(|_| self.address.owns(url)) {
            return made(&self.socket, || Ok(self.near().tls_certs_only([]).unix_socket(path)));
        }
        if url.scheme() == "http" {
            return made(&self.plain, || Ok(self.near().tls_certs_only([])));
        }
        if self.address.is_on_the_same_host(url) {
            return made(&self.own, || self.trust.own(self.near()));
        }
        // Where tokens are had, for instance, which may be another host of the same house.
        made(&self.other, || {
            let ders = self.trust.authorities.iter().map(|der| Certificate::from_der(der));
            let named: Vec<Certificate> = ders.filter_map(Result::ok).collect();
            Ok(self.far().tls_certs_merge(named))
        })
    }

    /// To the registry: past the proxy of the environment if it is on this machine.
    fn near(&self) -> ClientBuilder {
        if self.address.is_loopback() { self.far().no_proxy() } else { self.far() }
    }

    /// No redirect is followed here: whoever follows one has to think of the credentials.
    fn far(&self) -> ClientBuilder {
        Client::builder()
            .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(self.patience.connect)
            .read_timeout(self.patience.stall)
    }
}

fn made(
    place: &OnceLock<Client>,
    builder: impl FnOnce() -> Result<ClientBuilder, Error>,
) -> Result<&Client, Error> {
    if let Some(client) = place.get() {
        return Ok(client);
    }
    let client = builder()?.build().map_err(|e| {
        let why = deepest(&e);
        Error::Here(format!("no encrypted connection can be made here: {why}. Name certificates with --ca"))
    })?;
    Ok(place.get_or_init(|| client))
}
