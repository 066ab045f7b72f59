//! IPv6 headers and those extension headers that may pass (RFC 8200).

use std::net::Ipv6Addr;

use super::transport::Transport;
use super::{Datagram, ParseError, Payload};

const FIXED: usize = 40;
/// More extension headers than this are not walked; two are usual at most.
const MAX_EXTENSIONS: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const ICMPV6: u8 = 58;
const DESTINATION_OPTIONS: u8 = 60;

/// A packet that fills `bytes` exactly.
pub(super) fn whole(bytes: &[u8]) -> Result<Datagram<'_>, ParseError> {
    let (header, rest) = Header::read(bytes)?;
    if header.payload != rest.len() {
        return Err(ParseError::Malformed);
    }
    header.datagram(rest)
}

/// A packet that may be cut short behind its header, or be followed by padding (RFC 4884).
pub(super) fn quoted(bytes: &[u8]) -> Result<Datagram<'_>, ParseError> {
    let (header, rest) = Header::read(bytes)?;
    let clipped = rest.get(..header.payload).unwrap_or(rest);
    header.datagram(clipped)
}

/// The addresses of a packet that fills `bytes` exactly, and whose first header behind the fixed one is a fragment's.
pub(super) fn fragmented(bytes: &[u8]) -> Result<(Ipv6Addr, Ipv6Addr), ParseError> {
    let (header, rest) = Header::read(bytes)?;
    if header.payload != rest.len() {
        return Err(ParseError::Malformed);
    }
    if header.next == FRAGMENT {
        Ok((header.source, header.destination))
    } else {
        Err(ParseError::Unsupported)
    }
}

struct Header {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    next: u8,
    payload: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED>().ok_or(ParseError::Malformed)?;
        let (&[version, _, _, _, payload_high, payload_low, next, _], addresses) =
            fixed.split_first_chunk::<8>().ok_or(ParseError::Malformed)?;
        let (source, destination) = addresses.split_first_chunk::<16>().ok_or(ParseError::Malformed)?;
        let destination: [u8; 16] = destination.try_into().map_err(|_| ParseError::Malformed)?;
        if version >> 4 != 6 {
            return Err(ParseError::Malformed);
        }
        let header = Self {
            source: Ipv6Addr::from(*source),
            destination: Ipv6Addr::from(destination),
            next,
            payload: usize::from(u16::from_be_bytes([payload_high, payload_low])),
        };
        Ok((header, rest))
    }

    fn datagram(self, bytes: &[u8]) -> Result<Datagram<'_>, ParseError> {
        let (protocol, payload) = upper_layer(self.next, bytes)?;
        let payload = match protocol {
            ICMPV6 => Payload::Icmp(payload),
            other => Payload::Transport(Transport::of(other)?, payload),
        };
        Ok(Datagram { source: self.source.into(), destination: self.destination.into(), payload })
    }
}

/// Walks the extension headers to what they precede.
fn upper_layer(first: u8, mut bytes: &[u8]) -> Result<(u8, &[u8]), ParseError> {
    let mut kind = first;
    for place in 0..=MAX_EXTENSIONS {
        match kind {
            HOP_BY_HOP if place > 0 => return Err(ParseError::Malformed),
            HOP_BY_HOP | DESTINATION_OPTIONS => {
                let [next, length, ..] = bytes else { return Err(ParseError::Malformed) };
                let length = usize::from(*length).saturating_add(1).saturating_mul(8);
                kind = *next;
                bytes = bytes.get(length..).ok_or(ParseError::Malformed)?;
            }
            ROUTING => return Err(ParseError::SourceRoute),
            FRAGMENT => return Err(ParseError::Fragment),
            other => return Ok((other, bytes)),
        }
    }
    Err(ParseError::Unsupported)
}
