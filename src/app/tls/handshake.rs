//! The handshake of a connection that has been accepted, under a limit of time. Who speaks plain HTTP to this port
//! is told so: docker and browsers print it. It must not know what is spoken afterwards.

use crate::app::connection::Connection;
use crate::app::tls::config::{Config, MinVersion};
use crate::app::tls::shown::{ACME_TLS, Shown};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::version::{TLS12, TLS13};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// In the words of Go's server, which people know, and in the form of the API's errors, which clients print.
const NOT_TLS: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 109\r\n\
Connection: close\r\n\r\n{\"errors\":[{\"code\":\"UNSUPPORTED\",\"message\":\
\"Client sent an HTTP request to an HTTPS server: use https://\"}]}\n";

/// An encrypted stream.
pub type Secure = TlsStream<Connection<TcpStream>>;

/// Makes connections secure.
pub struct Handshake {
    acceptor: TlsAcceptor,
}

impl Handshake {
    /// Handshakes that show `shown`, and answer challenges of an ACME server where `challenges` says so.
    pub fn new(config: &Config, shown: Arc<Shown>, challenges: bool) -> Result<Self, rustls::Error> {
        let versions = match config.min_version {
            MinVersion::Tls12 => &[&TLS13, &TLS12][..],
            MinVersion::Tls13 => &[&TLS13],
        };
        let mut server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(shown);
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if challenges {
            server.alpn_protocols.push(ACME_TLS.to_vec());
        }
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(server)) })
    }

    /// Makes a connection secure within `opening`. `None`: there is nothing to serve on it, and all that was to be
    /// said has been said.
    pub async fn make(
        &self,
        stream: TcpStream,
        opening: Duration,
        stall: Duration,
    ) -> io::Result<Option<Secure>> {
        tokio::time::timeout(opening, async {
            let mut first = [0];
            let plain = stream.peek(&mut first).await? > 0 && first[0].is_ascii_alphabetic();
            let mut stream = Connection::new(stream, stall);
            if plain {
                stream.write_all(NOT_TLS.as_bytes()).await?;
                stream.shutdown().await?;
                return Ok(None);
            }
            let mut secure = self.acceptor.accept(stream).await?;
            if secure.get_ref().1.alpn_protocol() == Some(ACME_TLS) {
                secure.shutdown().await?; // the certificate was the answer (RFC 8737, section 3)
                return Ok(None);
            }
            Ok(Some(secure))
        })
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_has_the_length_that_it_says() {
        let (head, body) = NOT_TLS.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
