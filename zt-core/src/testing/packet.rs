//! Packets as far as verdicts are concerned.

use std::net::IpAddr;

use crate::key::PublicKey;
use crate::net::Protocol;

/// What becomes of a packet at a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Accept,
    /// It is dropped without an answer.
    Drop,
}

/// An inner packet at a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Where it comes from.
    pub side: Side,
    /// Its source address.
    pub source: IpAddr,
    /// Its destination address.
    pub destination: IpAddr,
    /// What it carries.
    pub payload: Payload,
}

/// Where a packet comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Out of the tunnel, from the peer with this key.
    Device(PublicKey),
    /// From the networks behind the gateway.
    Network,
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A TCP segment.
    Tcp {
        /// Its source port.
        source: u16,
        /// Its destination port.
        destination: u16,
    },
    /// A UDP datagram.
    Udp {
        /// Its source port.
        source: u16,
        /// Its destination port.
        destination: u16,
    },
    /// An ICMP or ICMPv6 echo request.
    EchoRequest {
        /// Its identifier.
        id: u16,
    },
    /// An ICMP or ICMPv6 echo reply.
    EchoReply {
        /// Its identifier.
        id: u16,
    },
    /// An ICMP or ICMPv6 error about a packet that went the other way.
    Error {
        /// The source address of the quoted packet.
        source: IpAddr,
        /// The destination address of the quoted packet.
        destination: IpAddr,
        /// What the quoted packet carried; never itself an error.
        payload: Box<Payload>,
    },
    /// Anything else.
    Other,
}

/// A flow, as the device that opened it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) device: IpAddr,
    pub(crate) remote: IpAddr,
    pub(crate) protocol: Protocol,
    /// The device's port; for echo the identifier.
    pub(crate) device_port: u16,
    /// The other end's port; for echo 0.
    pub(crate) remote_port: u16,
}

impl Flow {
    /// The flow to which a packet from the device belongs; `None` if such a packet belongs to none.
    pub(crate) fn outward(source: IpAddr, destination: IpAddr, payload: &Payload) -> Option<Self> {
        let (protocol, device_port, remote_port) = match *payload {
            Payload::Tcp { source, destination } => (Protocol::Tcp, source, destination),
            Payload::Udp { source, destination } => (Protocol::Udp, source, destination),
            Payload::EchoRequest { id } => (Protocol::Echo, id, 0),
            Payload::EchoReply { .. } | Payload::Error { .. } | Payload::Other => return None,
        };
        Some(Self { device: source, remote: destination, protocol, device_port, remote_port })
    }

    /// The flow to which a packet to the device belongs; `None` if such a packet belongs to none.
    pub(crate) fn inward(source: IpAddr, destination: IpAddr, payload: &Payload) -> Option<Self> {
        let (protocol, device_port, remote_port) = match *payload {
            Payload::Tcp { source, destination } => (Protocol::Tcp, destination, source),
            Payload::Udp { source, destination } => (Protocol::Udp, destination, source),
            Payload::EchoReply { id } => (Protocol::Echo, id, 0),
            Payload::EchoRequest { .. } | Payload::Error { .. } | Payload::Other => return None,
        };
        Some(Self { device: destination, remote: source, protocol, device_port, remote_port })
    }
}
