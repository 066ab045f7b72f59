//! IPv4 headers (RFC 791).

use std::net::Ipv4Addr;

use super::transport::Transport;
use super::{Datagram, ParseError, Payload};

const FIXED: usize = 20;
const ICMP: u8 = 1;

const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;

/// A packet that fills `bytes` exactly.
pub(super) fn whole(bytes: &[u8]) -> Result<Datagram<'_>, ParseError> {
    let header = Header::read(bytes)?;
    if header.total != bytes.len() {
        return Err(ParseError::Malformed);
    }
    header.datagram(bytes)
}

/// A packet that may be cut short behind its header, or be followed by padding (RFC 4884).
pub(super) fn quoted(bytes: &[u8]) -> Result<Datagram<'_>, ParseError> {
    let header = Header::read(bytes)?;
    let clipped = bytes.get(..header.total).unwrap_or(bytes);
    header.datagram(clipped)
}

/// The length of the header of a fragment that fills `bytes` exactly.
pub(super) fn header_length(bytes: &[u8]) -> Result<usize, ParseError> {
    let header = Header::of_any(bytes)?;
    if header.total == bytes.len() { Ok(header.length) } else { Err(ParseError::Malformed) }
}

struct Header {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    length: usize,
    total: usize,
    is_fragment: bool,
}

impl Header {
    /// The header of a packet that is no fragment.
    fn read(bytes: &[u8]) -> Result<Self, ParseError> {
        let header = Self::of_any(bytes)?;
        if header.is_fragment { Err(ParseError::Fragment) } else { Ok(header) }
    }

    fn of_any(bytes: &[u8]) -> Result<Self, ParseError> {
        let (fixed, _) = bytes.split_first_chunk::<FIXED>().ok_or(ParseError::Malformed)?;
        #[rustfmt::skip]
        let [
            version_and_length, _, total_high, total_low,
            _, _, fragment_high, fragment_low,
            _, protocol, _, _,
            s0, s1, s2, s3,
            d0, d1, d2, d3,
        ] = *fixed;
        let length = usize::from(version_and_length & 0x0f).saturating_mul(4);
        let total = usize::from(u16::from_be_bytes([total_high, total_low]));
        if version_and_length >> 4 != 4 || length < FIXED || total < length {
            return Err(ParseError::Malformed);
        }
        options(bytes.get(FIXED..length).ok_or(ParseError::Malformed)?)?;
        const DO_NOT_FRAGMENT: u16 = 0x4000;
        let is_fragment = u16::from_be_bytes([fragment_high, fragment_low]) & !DO_NOT_FRAGMENT != 0;
        let source = Ipv4Addr::new(s0, s1, s2, s3);
        let destination = Ipv4Addr::new(d0, d1, d2, d3);
        Ok(Self { source, destination, protocol, length, total, is_fragment })
    }

    fn datagram(self, bytes: &[u8]) -> Result<Datagram<'_>, ParseError> {
        let payload = bytes.get(self.length..).ok_or(ParseError::Malformed)?;
        let payload = match self.protocol {
            ICMP => Payload::Icmp(payload),
            other => Payload::Transport(Transport::of(other)?, payload),
        };
        Ok(Datagram { source: self.source.into(), destination: self.destination.into(), payload })
    }
}

fn options(mut bytes: &[u8]) -> Result<(), ParseError> {
    while let [kind, rest @ ..] = bytes {
        bytes = match (*kind, rest) {
            (END_OF_OPTIONS, _) => return Ok(()),
            (NO_OPERATION, rest) => rest,
            (LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE, _) => return Err(ParseError::SourceRoute),
            (_, [length, ..]) if *length >= 2 => {
                bytes.get(usize::from(*length)..).ok_or(ParseError::Malformed)?
            }
            _ => return Err(ParseError::Malformed),
        };
    }
    Ok(())
}
