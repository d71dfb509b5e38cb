//! Who is at the other end of a connection: what the socket itself says, and nothing that a header claims
//! (`origin.rs` weighs those). It must not know what a peer may do.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Somebody on the network; perhaps a proxy that speaks for somebody else.
    Tcp {
        /// From where.
        address: SocketAddr,
        /// Whether the bytes between us are encrypted.
        tls: bool,
    },
    /// Somebody on this machine who may open the admin socket: the owner of the data folder.
    Local,
}

impl Peer {
    /// The address, IPv4 written as IPv4 also on a socket that takes both kinds.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Tcp { address, .. } => Some(address.ip().to_canonical()),
            Self::Local => None,
        }
    }

    /// Whether the bytes between us are encrypted.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { address, .. } => address.fmt(f),
            Self::Local => f.write_str("local"),
        }
    }
}
