//! TLS for the tests: throw-away certificates, and a client that trusts one of them and shows what the server
//! presented. It must not know the project's own code, nor what is spoken inside TLS.

use super::answer::Answer;
use super::client::{Connection, Request, Wire, dial, get};
use super::server::{Home, Server};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The name that all certificates of the tests are for.
pub const NAME: &str = "registry.test";

/// A certificate with its key, PEM.
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// The certificate as it goes over the wire.
    pub der: CertificateDer<'static>,
}

/// An authority of the test's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// A certificate for NAME and 127.0.0.1.
    pub fn pair(&self) -> Pair {
        self.pair_with(|_| {})
    }

    /// A certificate that differs in something.
    pub fn pair_with(&self, change: impl Fn(&mut CertificateParams)) -> Pair {
        let names = vec![NAME.to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("parameters");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Pair { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
    }

    /// A client that trusts this authority alone.
    pub fn client(&self, addr: SocketAddr) -> TlsClient {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a root");
        TlsClient {
            addr,
            roots: Arc::new(roots),
            protocols: vec!["http/1.1"],
            versions: rustls::ALL_VERSIONS.to_vec(),
        }
    }
}

/// The two files of a server, which a test replaces.
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Files {
    /// Two files in a folder, not yet there.
    pub fn in_folder(folder: &Path) -> Self {
        Self { certificate: folder.join("tls.crt"), key: folder.join("tls.key") }
    }

    /// Settings that name them.
    pub fn told_to(&self, home: Home) -> Home {
        home.env("HOLDFAST_SERVER_TLS_CERTIFICATE", self.certificate.display().to_string())
            .env("HOLDFAST_SERVER_TLS_KEY", self.key.display().to_string())
    }

    /// Puts a pair in place, each file whole.
    pub fn put(&self, pair: &Pair) {
        for (path, text) in [(&self.certificate, &pair.certificate), (&self.key, &pair.key)] {
            let fresh = path.with_extension("fresh");
            fs::write(&fresh, text).expect("write a file");
            fs::rename(&fresh, path).expect("put it in place");
        }
    }
}

/// A client that speaks TLS to one server.
#[derive(Clone)]
pub struct TlsClient {
    /// Where the server listens.
    pub addr: SocketAddr,
    roots: Arc<RootCertStore>,
    /// What it offers to speak inside.
    pub protocols: Vec<&'static str>,
    /// Which TLS it speaks.
    pub versions: Vec<&'static SupportedProtocolVersion>,
}

impl TlsClient {
    /// The same client with other protocols on offer.
    pub fn offering(&self, protocols: &[&'static str]) -> Self {
        Self { protocols: protocols.to_vec(), ..self.clone() }
    }

    /// The same client with other versions of TLS.
    pub fn speaking(&self, versions: &[&'static SupportedProtocolVersion]) -> Self {
        Self { versions: versions.to_vec(), ..self.clone() }
    }

    /// The settings of the library.
    pub fn config(&self) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .expect("versions")
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.alpn_protocols = self.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config.resumption = rustls::client::Resumption::disabled();
        config
    }

    /// Makes a connection, as far as the end of the handshake.
    pub fn handshake(&self) -> io::Result<Secured> {
        self.handshake_with(Duration::from_mins(1))
    }

    /// The same, with another guard against hanging.
    pub fn handshake_with(&self, guard: Duration) -> io::Result<Secured> {
        let name = ServerName::try_from(NAME).expect("a name");
        let mut tls = ClientConnection::new(Arc::new(self.config()), name).map_err(io::Error::other)?;
        let mut socket = dial(self.addr)?;
        socket.set_read_timeout(Some(guard))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        Ok(Secured(StreamOwned::new(tls, socket)))
    }

    /// Opens a connection that the test drives by hand.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        Connection::over(self.handshake().expect("a handshake"))
    }

    /// Sends a request on a connection of its own; a wire that fails is a failed test.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Answer {
        self.connect().exchange(request).unwrap_or_else(|e| panic!("{request:?}: {e}"))
    }

    /// The certificate that the server presents now.
    #[track_caller]
    pub fn presented(&self) -> CertificateDer<'static> {
        self.handshake().expect("a handshake").certificate()
    }
}

/// A connection after its handshake.
pub struct Secured(StreamOwned<ClientConnection, TcpStream>);

impl Secured {
    /// What the server presented.
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.0
            .conn
            .peer_certificates()
            .and_then(|chain| chain.first())
            .expect("a certificate")
            .clone()
            .into_owned()
    }

    /// What is to be spoken inside.
    pub fn protocol(&self) -> Option<String> {
        self.0.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
    }

    /// Which TLS it is.
    pub fn version(&self) -> Option<rustls::ProtocolVersion> {
        self.0.conn.protocol_version()
    }
}

impl Read for Secured {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Secured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Wire for Secured {
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.sock.shutdown(how)
    }
}

/// A server with TLS, on files of its own. The server is dropped before its folder.
pub struct Secure {
    /// The server.
    pub server: Server,
    /// Its certificate and key.
    pub files: Files,
    /// Who signed them.
    pub authority: Authority,
    /// A client that trusts that authority.
    pub client: TlsClient,
    /// Its folder.
    pub home: Home,
}

/// Starts one with default settings.
pub fn secure() -> Secure {
    secure_with(|home| home)
}

/// Starts one with other settings.
pub fn secure_with(change: impl Fn(Home) -> Home) -> Secure {
    let (home, authority) = (Home::new(), Authority::new());
    let files = Files::in_folder(home.folder());
    files.put(&authority.pair());
    let home = change(files.told_to(home));
    let server = home.start_unready();
    let client = authority.client(server.client().addr);
    client.send(&get("/readyz")).expect(200);
    Secure { server, files, authority, client, home }
}
