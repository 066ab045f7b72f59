//! ICMP (RFC 792) and ICMPv6 (RFC 4443): echo and errors; all else, neighbour discovery included, is not supported.

use std::net::IpAddr;

use super::{Body, Message, ParseError, quote};

/// Of which IP the ICMP is.
#[derive(Clone, Copy)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    /// The family of an address.
    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// What a type and code mean.
enum Kind {
    EchoRequest,
    EchoReply,
    Error,
}

impl Kind {
    fn of(family: Family, kind: u8, code: u8) -> Result<Self, ParseError> {
        match (family, kind, code) {
            (Family::V4, 8, 0) | (Family::V6, 128, 0) => Ok(Self::EchoRequest),
            (Family::V4, 0, 0) | (Family::V6, 129, 0) => Ok(Self::EchoReply),
            // unreachable (fragmentation needed among them), time exceeded, parameter problem
            (Family::V4, 3 | 11 | 12, _) => Ok(Self::Error),
            // unreachable, packet too big, time exceeded, parameter problem
            (Family::V6, 1..=4, _) => Ok(Self::Error),
            _ => Err(ParseError::Unsupported),
        }
    }
}

/// Reads any ICMP message that may pass.
pub(super) fn body(family: Family, bytes: &[u8]) -> Result<Body, ParseError> {
    let ([kind, code, ..], rest) = header(bytes)?;
    match Kind::of(family, kind, code)? {
        Kind::Error => quote(family, rest).map(Body::Error),
        Kind::EchoRequest | Kind::EchoReply => echo(family, bytes).map(Body::Message),
    }
}

/// Reads an echo message, which may be cut short behind its identifier and sequence number.
pub(super) fn echo(family: Family, bytes: &[u8]) -> Result<Message, ParseError> {
    let ([kind, code, _, _, id_high, id_low, _, _], _) = header(bytes)?;
    let id = u16::from_be_bytes([id_high, id_low]);
    match Kind::of(family, kind, code)? {
        Kind::EchoRequest => Ok(Message::EchoRequest { id }),
        Kind::EchoReply => Ok(Message::EchoReply { id }),
        Kind::Error => Err(ParseError::Unsupported),
    }
}

fn header(bytes: &[u8]) -> Result<([u8; 8], &[u8]), ParseError> {
    bytes.split_first_chunk::<8>().map(|(header, rest)| (*header, rest)).ok_or(ParseError::Malformed)
}
