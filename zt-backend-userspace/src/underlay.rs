//! What carries WireGuard's own datagrams.

use std::net::SocketAddr;

use tokio::sync::mpsc;

/// What carries WireGuard's own datagrams between gateways and devices.
#[derive(Debug)]
pub enum Underlay {
    /// A UDP socket of this host, bound to this address; port 0 takes a free port, and `[::]` takes IPv4 too.
    Udp(SocketAddr),
    /// Channels: a network stack of the caller's own, or no network at all.
    Channels(DatagramPort),
}

impl From<SocketAddr> for Underlay {
    fn from(address: SocketAddr) -> Self {
        Self::Udp(address)
    }
}

impl From<DatagramPort> for Underlay {
    fn from(port: DatagramPort) -> Self {
        Self::Channels(port)
    }
}

/// WireGuard's end of a network that the caller provides. It is gone once the other end of the receiver is dropped.
#[derive(Debug)]
pub struct DatagramPort {
    /// Where WireGuard is reached in that network.
    pub local_address: SocketAddr,
    /// Takes what WireGuard sends. Datagrams for which there is no room are dropped, as networks do.
    pub sender: mpsc::Sender<Datagram>,
    /// Gives what has arrived for WireGuard.
    pub receiver: mpsc::Receiver<Datagram>,
}

/// A datagram of an underlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Where it goes, if WireGuard sends it; else where it came from.
    pub peer: SocketAddr,
    /// A WireGuard message.
    pub payload: Vec<u8>,
}
