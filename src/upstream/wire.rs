//! One request, one answer: bounded in time and size, counted, asked again when the registry is busy. It must not know
//! credentials, redirects or what is asked for.

use crate::upstream::address::Address;
use crate::upstream::error::{Error, deepest};
use crate::upstream::options::{Exchange, Options, Watch};
use crate::upstream::patience::Patience;
use crate::upstream::trust::Roads;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use reqwest::Url;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::Semaphore;

/// A request as it goes out.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// Headers.
    pub headers: HeaderMap,
    /// The body; none if `None`.
    pub body: Option<Bytes>,
    /// Most bytes that the answer may have.
    pub bytes_max: u64,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What was asked for, after redirects.
    pub url: Url,
}

impl Reply {
    /// The text of a header; `None` if it is absent or no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What has gone over the wire so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Requests, with those for tokens.
    pub requests: u64,
    /// Bytes of bodies that came.
    pub bytes: u64,
}

/// Sends requests to a registry and to where it sends us.
pub struct Wire {
    address: Address,
    roads: Roads,
    patience: Patience,
    permits: Semaphore,
    watch: Option<Watch>,
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Wire {
    /// A wire without traffic yet.
    pub fn new(options: &Options) -> Self {
        Self {
            address: options.address.clone(),
            roads: Roads::new(options.address.clone(), options.trust.clone(), options.patience),
            patience: options.patience,
            permits: Semaphore::new(options.requests_max.clamp(1, 1000)),
            watch: options.watch.clone(),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Sends a request, and again while the registry is busy and that does no harm.
    pub async fn exchange(&self, ask: &Ask) -> Result<Reply, Error> {
        let mut tried = 0;
        loop {
            let reply = self.once(ask).await?;
            match self.patience.pause(tried, &ask.method, reply.status, &reply.headers) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Ok(reply),
            }
            tried += 1;
        }
    }

    /// What has gone over the wire.
    pub fn traffic(&self) -> Traffic {
        Traffic { requests: self.requests.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    /// Whether something answers at the address over TLS; `false` if it speaks something else, or nothing does, or TLS
    /// cannot be spoken here for want of certificates.
    pub async fn speaks_tls(&self, url: &Url) -> bool {
        let Ok(client) = self.roads.to(url) else { return false };
        match client.get(url.clone()).timeout(self.patience.connect / 2).send().await {
            Ok(_) => true,
            // A certificate that is not believed is a certificate.
            Err(error) => deepest(&error).contains("certificate"),
        }
    }

    async fn once(&self, ask: &Ask) -> Result<Reply, Error> {
        let permit = self.permits.acquire().await;
        let start = Instant::now();
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answered = tokio::time::timeout(self.patience.total, self.answered(ask)).await;
        drop(permit);
        let reply = answered.unwrap_or_else(|_| Err(self.too_slow(&ask.url)))?;
        let bytes = reply.body.len() as u64;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(watch) = &self.watch {
            let (method, url, status) = (&ask.method, ask.url.as_str(), reply.status.as_u16());
            watch(&Exchange { method, url, status, bytes, took: start.elapsed() });
        }
        Ok(reply)
    }

    async fn answered(&self, ask: &Ask) -> Result<Reply, Error> {
        let mut request = self
            .roads
            .to(&ask.url)?
            .request(ask.method.clone(), ask.url.clone())
            .headers(ask.headers.clone());
        if let Some(body) = &ask.body {
            request = request.body(body.clone());
        }
        let mut response = request.send().await.map_err(|e| self.broken(&ask.url, &e))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let too_large = || Error::Unusable {
            at: self.at(&ask.url),
            why: format!("it is larger than {} bytes", ask.bytes_max),
        };
        if ask.method != Method::HEAD
            && response.content_length().is_some_and(|length| length > ask.bytes_max)
        {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.broken(&ask.url, &e))? {
            if body.len() as u64 + chunk.len() as u64 > ask.bytes_max {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, headers, body: body.freeze(), url: ask.url.clone() })
    }

    /// Who a URL belongs to, as messages name it.
    pub fn at(&self, url: &Url) -> String {
        match url.host_str().filter(|_| !self.address.owns(url)) {
            Some(host) => url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            None => self.address.to_string(),
        }
    }

    fn too_slow(&self, url: &Url) -> Error {
        let why = "it was too slow to be waited for any longer".to_owned();
        Error::Unreachable { at: self.at(url), why }
    }

    fn broken(&self, url: &Url, error: &reqwest::Error) -> Error {
        let at = self.at(url);
        if let Some(socket) = self.address.socket().filter(|_| error.is_connect()) {
            return Error::Unreachable { at: at.clone(), why: local(error, socket) };
        }
        let cause = deepest(error);
        if !error.is_connect() && !error.is_timeout() && (error.is_body() || error.is_decode()) {
            return Error::Unusable { at, why: format!("it broke off ({cause})") };
        }
        let why = if error.is_timeout() {
            let secs =
                if error.is_connect() { self.patience.connect } else { self.patience.stall }.as_secs_f32();
            format!("nothing came for {secs} seconds")
        } else if cause.contains("InvalidContentType") || cause.contains("wrong version number") {
            format!("it does not speak TLS. If it should be spoken to unencrypted, write http://{at}")
        } else if cause.contains("certificate") {
            format!("{cause}. If it is signed by an authority of your own, name its certificate with --ca")
        } else {
            cause
        };
        Error::Unreachable { at, why }
    }
}

/// Why nobody answers at a socket of this machine.
fn local(error: &(dyn std::error::Error + 'static), socket: &std::path::Path) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
                    "no server runs with this data folder. Start `holdfast serve`, or name its folder with --data, or a \
                     registry elsewhere with --server"
                        .into()
                }
                std::io::ErrorKind::PermissionDenied => {
                    "only the user that the server runs as may do this. Become that user, or use --server".into()
                }
                _ => format!("{}: {error}", socket.display()),
            };
        }
        cause = error.source();
    }
    deepest(error)
}
