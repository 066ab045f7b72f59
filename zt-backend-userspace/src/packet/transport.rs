//! TCP (RFC 9293) and UDP (RFC 768) headers.

use super::{Message, ParseError};

const TCP_FIXED: usize = 20;
const UDP_FIXED: usize = 8;
/// What an ICMP error quotes of the transport header at least (RFC 792).
const QUOTED: usize = 8;

/// Which of the two.
#[derive(Clone, Copy)]
pub(super) enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    /// The transport with this protocol number.
    pub(super) fn of(protocol: u8) -> Result<Self, ParseError> {
        match protocol {
            6 => Ok(Self::Tcp),
            17 => Ok(Self::Udp),
            _ => Err(ParseError::Unsupported),
        }
    }
}

/// A segment or datagram that fills `bytes`.
pub(super) fn whole(transport: Transport, bytes: &[u8]) -> Result<Message, ParseError> {
    let plausible = match transport {
        Transport::Tcp => tcp_length(bytes).is_some_and(|length| (TCP_FIXED..=bytes.len()).contains(&length)),
        Transport::Udp => udp_length(bytes).is_some_and(|length| (UDP_FIXED..=bytes.len()).contains(&length)),
    };
    if plausible { head(transport, bytes) } else { Err(ParseError::Malformed) }
}

/// The start of a segment or datagram, as quoted.
pub(super) fn head(transport: Transport, bytes: &[u8]) -> Result<Message, ParseError> {
    let (head, _) = bytes.split_first_chunk::<QUOTED>().ok_or(ParseError::Malformed)?;
    let [source_high, source_low, destination_high, destination_low, ..] = *head;
    let source = u16::from_be_bytes([source_high, source_low]);
    let destination = u16::from_be_bytes([destination_high, destination_low]);
    Ok(match transport {
        Transport::Tcp => Message::Tcp { source, destination },
        Transport::Udp => Message::Udp { source, destination },
    })
}

/// The length of a TCP header.
fn tcp_length(bytes: &[u8]) -> Option<usize> {
    bytes.get(12).map(|offset| usize::from(offset >> 4).saturating_mul(4))
}

/// The length of a UDP datagram. Zero, which a jumbogram would have (RFC 2675), is too short.
fn udp_length(bytes: &[u8]) -> Option<usize> {
    let [_, _, _, _, high, low, ..] = bytes else { return None };
    Some(usize::from(u16::from_be_bytes([*high, *low])))
}
