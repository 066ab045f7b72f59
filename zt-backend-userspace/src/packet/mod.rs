//! What the filter needs to know of an inner packet, read from its bytes.
//!
//! Whatever is not understood in full is an error, and so dropped: a filter that guesses at what it sees is bypassed
//! by whoever guesses better.

mod fragment;
mod icmp;
mod ipv4;
mod ipv6;
mod mss;
mod transport;

use std::net::IpAddr;

pub(crate) use fragment::{Fragment, FragmentKey, fragment};
pub(crate) use mss::clamp;

/// A packet, as far as access is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Where it comes from, by its own account.
    pub source: IpAddr,
    /// Where it goes to.
    pub destination: IpAddr,
    /// What it carries.
    pub body: Body,
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Part of a conversation.
    Message(Message),
    /// The report that some other packet could not be delivered.
    Error(Quote),
}

/// Part of a conversation between two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A TCP segment (RFC 9293).
    Tcp {
        /// The sender's port.
        source: u16,
        /// The receiver's port.
        destination: u16,
    },
    /// A UDP datagram (RFC 768).
    Udp {
        /// The sender's port.
        source: u16,
        /// The receiver's port.
        destination: u16,
    },
    /// An echo request (RFC 792, RFC 4443 section 4.1).
    EchoRequest {
        /// The identifier, which the reply repeats.
        id: u16,
    },
    /// An echo reply (RFC 792, RFC 4443 section 4.2).
    EchoReply {
        /// The identifier of the request.
        id: u16,
    },
}

/// The head of the packet that an ICMP error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// Where that packet came from.
    pub source: IpAddr,
    /// Where it was going to.
    pub destination: IpAddr,
    /// What it carried.
    pub message: Message,
}

/// Why some bytes are no packet that the filter understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum ParseError {
    /// Cut short, longer than it says, or with lengths that contradict each other.
    #[error("malformed")]
    Malformed,
    /// Part of a packet that was taken apart on its way; it is judged once all parts are there.
    #[error("a fragment")]
    Fragment,
    /// With a route of the sender's choice: an IPv4 source-route option or an IPv6 routing header.
    #[error("source-routed")]
    SourceRoute,
    /// Of a protocol, with a header or of an ICMP type that is not let through.
    #[error("not supported")]
    Unsupported,
}

/// Reads a packet, which must fill `bytes` exactly.
///
/// Costs time in proportion to the headers, never to the payload. Checksums are not looked at: they protect against
/// accidents, and whoever receives the packet checks them.
///
/// # Errors
/// If any header that access depends on is not understood in full.
pub fn parse(bytes: &[u8]) -> Result<Packet, ParseError> {
    let datagram = match version(bytes)? {
        4 => ipv4::whole(bytes)?,
        6 => ipv6::whole(bytes)?,
        _ => return Err(ParseError::Malformed),
    };
    let Datagram { source, destination, payload } = datagram;
    let body = match payload {
        Payload::Icmp(bytes) => icmp::body(icmp::Family::of(source), bytes)?,
        Payload::Transport(transport, bytes) => Body::Message(transport::whole(transport, bytes)?),
    };
    Ok(Packet { source, destination, body })
}

/// Reads the quote of an ICMP error: a packet that may be cut short, but not before its ports.
fn quote(family: icmp::Family, bytes: &[u8]) -> Result<Quote, ParseError> {
    let datagram = match (family, version(bytes)?) {
        (icmp::Family::V4, 4) => ipv4::quoted(bytes)?,
        (icmp::Family::V6, 6) => ipv6::quoted(bytes)?,
        _ => return Err(ParseError::Malformed),
    };
    let Datagram { source, destination, payload } = datagram;
    let message = match payload {
        Payload::Icmp(bytes) => icmp::echo(family, bytes)?,
        Payload::Transport(transport, bytes) => transport::head(transport, bytes)?,
    };
    Ok(Quote { source, destination, message })
}

fn version(bytes: &[u8]) -> Result<u8, ParseError> {
    bytes.first().map(|byte| byte >> 4).ok_or(ParseError::Malformed)
}

/// What an IP header leads to.
struct Datagram<'a> {
    source: IpAddr,
    destination: IpAddr,
    payload: Payload<'a>,
}

/// The bytes behind the IP headers, by protocol.
enum Payload<'a> {
    /// ICMP of the datagram's own family.
    Icmp(&'a [u8]),
    /// TCP or UDP.
    Transport(transport::Transport, &'a [u8]),
}
