//! The connections: HTTP/1.1 and HTTP/2, limits on all of them, and an end that lets running transfers finish.

use crate::app::connection::{Connection, Socket};
use crate::app::listener::{Arrived, Listener, Stream};
use crate::app::opening::Opening;
use crate::app::{acme, tls};
use crate::http::body::incoming;
use crate::http::peer::Peer;
use crate::http::router;
use crate::http::state::Door;
use futures_util::future::join_all;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Largest head of an HTTP/1 request, and the piece in which bodies are read from the socket.
const READ_BUFFER_BYTES: usize = 128 << 10;
/// Largest head of an HTTP/2 request.
const HEADER_LIST_BYTES: u32 = 64 << 10;
/// Bytes that an HTTP/2 client may send ahead, for one stream and for all of a connection.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
const STREAMS_MAX: u32 = 128;

/// `[server]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port.
    pub listen: String,
    /// What the registry is called from outside, as `https://NAME`. Empty: what the client asked for.
    pub external_url: String,
    /// Networks of proxies whose `X-Forwarded-*` count.
    pub trusted_proxies: Vec<String>,
    /// A proxy in front ends TLS, so that we may listen wider than on loopback without it.
    pub behind_proxy: bool,
    /// Connections at once.
    pub connections_max: u64,
    /// How long a handshake or the head of a request may take, and a connection may idle.
    pub header_secs: u64,
    /// How long a body may stand still.
    pub stall_secs: u64,
    /// How long running transfers may go on after the signal to stop.
    pub shutdown_secs: u64,
    /// `[server.tls]`
    pub tls: tls::config::Config,
    /// `[server.acme]`
    pub acme: acme::config::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:5000".into(),
            external_url: String::new(),
            trusted_proxies: Vec::new(),
            behind_proxy: false,
            connections_max: 4096,
            header_secs: 60,
            stall_secs: 60,
            shutdown_secs: 30,
            tls: tls::config::Config::default(),
            acme: acme::config::Config::default(),
        }
    }
}

/// What all connections share.
struct Serving {
    door: Door,
    builder: Builder<TokioExecutor>,
    opening: Duration,
    stopped: watch::Receiver<bool>,
}

/// Serves until `stop` is done, then lets running transfers end for at most `shutdown_secs`.
pub async fn serve(config: &Config, listeners: Vec<Listener>, door: Door, stop: impl Future<Output = ()>) {
    let (stopping, stopped) = watch::channel(false);
    let opening = Duration::from_secs(config.header_secs);
    let serving = Arc::new(Serving { door, builder: builder(config), opening, stopped });
    let running = GracefulShutdown::new();
    let accepting = join_all(listeners.into_iter().map(|listener| accept_all(listener, &serving, &running)));
    tokio::select! {
        () = stop => {}
        _ = accepting => {}
    }
    // The listeners went with `accepting`: a load balancer sees at once that nobody is here any more.
    stopping.send_replace(true);
    tracing::info!("stopping: no new connections; running transfers may end");
    let grace = Duration::from_secs(config.shutdown_secs);
    if tokio::time::timeout(grace, running.shutdown()).await.is_err() {
        tracing::warn!("some transfers did not end in time and were cut off");
    }
}

async fn accept_all(listener: Listener, serving: &Arc<Serving>, running: &GracefulShutdown) {
    loop {
        let Some(arrived) = listener.accept().await else { continue };
        spawn(converse(Arc::clone(serving), arrived, running.watcher()));
    }
}

/// One connection, from its handshake to its end.
async fn converse(serving: Arc<Serving>, arrived: Arrived, watcher: Watcher) {
    let Arrived { stream, peer, place } = arrived;
    let stall = serving.door.stall;
    match stream {
        Stream::Plain(stream) => speak(serving, Connection::new(stream, stall), peer, watcher).await,
        Stream::Local(stream) => speak(serving, Connection::new(stream, stall), peer, watcher).await,
        Stream::Secure(stream, handshake) => {
            let mut stopped = serving.stopped.clone();
            let secure = tokio::select! {
                secure = handshake.make(stream, serving.opening, stall) => secure,
                _ = stopped.wait_for(|stopped| *stopped) => Ok(None),
            };
            match secure {
                Ok(Some(secure)) => speak(serving, secure, peer, watcher).await,
                Ok(None) => {}
                Err(error) => tracing::debug!(%peer, %error, "a handshake failed"),
            }
        }
    }
    drop(place);
}

async fn speak(serving: Arc<Serving>, stream: impl Socket, peer: Peer, watcher: Watcher) {
    let stream = TokioIo::new(Opening::new(stream, serving.opening));
    let shared = Arc::clone(&serving);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let serving = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(router::answer(&serving.door, request.map(incoming), peer).await) }
    });
    let connection = serving.builder.serve_connection(stream, service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%peer, error, "a connection broke");
    }
}

fn builder(config: &Config) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(config.header_secs))
        .max_buf_size(READ_BUFFER_BYTES)
        // A client may say that it has sent all, and still wait for the answer.
        .half_close(true)
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEADER_LIST_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(Duration::from_secs(config.header_secs))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

#[allow(clippy::disallowed_methods)] // one of the few homes of tasks
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
