//! Where connections come in: a TCP port with TLS or without, or the admin socket. It must not know what is spoken
//! on them.

use crate::app::open_files;
use crate::app::tls::handshake::Handshake;
use crate::http::peer::Peer;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that wait in the kernel to be accepted.
pub const BACKLOG: u32 = 1024;
/// How long to wait when the system refuses to accept (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections at once on the admin socket. They are apart from the port's, so that a flood there cannot keep the
/// administrator out.
const ADMIN_CONNECTIONS: usize = 64;

/// A place where connections come in.
pub struct Listener {
    socket: Socket,
    places: Arc<Semaphore>,
}

enum Socket {
    Tcp(TcpListener, Option<Arc<Handshake>>),
    Local(UnixListener),
}

/// What came in. It keeps its place for as long as it lives.
pub struct Arrived {
    /// The stream.
    pub stream: Stream,
    /// Who.
    pub peer: Peer,
    /// One of the listener's places.
    pub place: OwnedSemaphorePermit,
}

/// The stream of a connection.
pub enum Stream {
    /// As it is.
    Plain(TcpStream),
    /// To be made secure first.
    Secure(TcpStream, Arc<Handshake>),
    /// Of the admin socket.
    Local(UnixStream),
}

impl Listener {
    /// A TCP port, with TLS if there is a handshake.
    pub fn tcp(socket: TcpListener, handshake: Option<Arc<Handshake>>, connections_max: u64) -> Self {
        let places = Arc::new(Semaphore::new(open_files::connections(connections_max)));
        Self { socket: Socket::Tcp(socket, handshake), places }
    }

    /// The admin socket.
    pub fn local(socket: UnixListener) -> Self {
        Self { socket: Socket::Local(socket), places: Arc::new(Semaphore::new(ADMIN_CONNECTIONS)) }
    }

    /// The next connection, once there is a place for it. `None`: that failed, try again.
    pub async fn accept(&self) -> Option<Arrived> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let accepted = match &self.socket {
            Socket::Tcp(socket, handshake) => socket.accept().await.map(|(stream, address)| {
                let _ = stream.set_nodelay(true);
                let peer = Peer::Tcp { address, tls: handshake.is_some() };
                let stream = match handshake {
                    Some(handshake) => Stream::Secure(stream, Arc::clone(handshake)),
                    None => Stream::Plain(stream),
                };
                (stream, peer)
            }),
            Socket::Local(socket) => {
                socket.accept().await.map(|(stream, _)| (Stream::Local(stream), Peer::Local))
            }
        };
        match accepted {
            Ok((stream, peer)) => Some(Arrived { stream, peer, place }),
            Err(error) => {
                // Out of file descriptors, or the client has gone already: neither may end the server, nor spin it.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

/// The addresses that `ADDRESS:PORT` means.
pub fn addresses(listen: &str) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<_> = listen.to_socket_addrs()?.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "the address means nothing"));
    }
    Ok(addresses)
}

/// Binds the first of the addresses that can be bound.
pub fn bind(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "there is no address");
    for address in addresses {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?; // a restart need not wait for the last run's connections to be forgotten
        match socket.bind(*address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}
