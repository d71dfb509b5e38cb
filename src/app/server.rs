//! The listener and its connections: HTTP/1.1 and HTTP/2, limits on all of them, and an end that lets running
//! transfers finish.

use crate::app::connection::Connection;
use crate::app::open_files;
use crate::http::body::incoming;
use crate::http::router;
use crate::http::state::Door;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::Semaphore;

/// Connections that wait in the kernel to be accepted.
const BACKLOG: u32 = 1024;
/// Largest head of an HTTP/1 request, and the piece in which bodies are read from the socket.
const READ_BUFFER_BYTES: usize = 128 << 10;
/// Largest head of an HTTP/2 request.
const HEADER_LIST_BYTES: u32 = 64 << 10;
/// Bytes that an HTTP/2 client may send ahead, for one stream and for all of a connection.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
const STREAMS_MAX: u32 = 128;
/// How long to wait when the system refuses to accept (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// `[server]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port.
    pub listen: String,
    /// Connections at once.
    pub connections_max: u64,
    /// How long the head of a request may take, and a connection may idle.
    pub header_secs: u64,
    /// How long a body may stand still.
    pub stall_secs: u64,
    /// How long running transfers may go on after the signal to stop.
    pub shutdown_secs: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:5000".into(),
            connections_max: 4096,
            header_secs: 60,
            stall_secs: 60,
            shutdown_secs: 30,
        }
    }
}

/// Binds the listening socket.
pub async fn bind(config: &Config) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the address means nothing");
    for address in lookup_host(&config.listen).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?; // a restart need not wait for the last run's connections to be forgotten
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Serves until `stop` is done, then lets running transfers end for at most `shutdown_secs`.
pub async fn serve(config: &Config, listener: TcpListener, door: Door, stop: impl Future<Output = ()>) {
    let door = Arc::new(door);
    let builder = Arc::new(builder(config));
    let places = Arc::new(Semaphore::new(open_files::connections(config.connections_max)));
    let running = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    let opening = Duration::from_secs(config.header_secs);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let connection = TokioIo::new(Connection::new(stream, opening, door.stall));
        let door = Arc::clone(&door);
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let door = Arc::clone(&door);
            async move { Ok::<_, Infallible>(router::answer(&door, request.map(incoming), Some(peer)).await) }
        });
        let connection = running.watch(builder.serve_connection(connection, service).into_owned());
        spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, error, "a connection broke");
            }
            drop(place);
        });
    }
    drop(listener); // a load balancer sees at once that nobody is here any more
    tracing::info!("stopping: no new connections; running transfers may end");
    let grace = Duration::from_secs(config.shutdown_secs);
    if tokio::time::timeout(grace, running.shutdown()).await.is_err() {
        tracing::warn!("some transfers did not end in time and were cut off");
    }
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// The next connection, once there is a place for it. `None`: that failed, try again.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, peer, place))
        }
        Err(error) => {
            // Out of file descriptors, or the client has gone already: neither may end the server, nor spin it.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
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
