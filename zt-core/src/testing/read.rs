//! Packets from bytes, read the plainest way: what is not understood is `None`, and so dropped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::packet::{Packet, Payload, Side};

/// Reads a whole packet that came from `side`; `None` if it is to be dropped whatever is granted: it is no packet, a
/// fragment, of an unknown kind, or with a route of the sender's choice.
#[must_use]
pub fn read(side: Side, bytes: &[u8]) -> Option<Packet> {
    let (source, destination, protocol, payload) = network(bytes, true)?;
    Some(Packet { source, destination, side, payload: transport(protocol, payload, source.is_ipv4(), true)? })
}

/// Source, destination, protocol and what is behind the headers. What is quoted may be cut short, or padded.
pub(super) fn network(bytes: &[u8], whole: bool) -> Option<(IpAddr, IpAddr, u8, &[u8])> {
    match number(bytes, 0, 1)? >> 4 {
        4 => v4(bytes, whole),
        6 => v6(bytes, whole),
        _ => None,
    }
}

fn v4(bytes: &[u8], whole: bool) -> Option<(IpAddr, IpAddr, u8, &[u8])> {
    let header = (number(bytes, 0, 1)? & 15) * 4;
    let total = number(bytes, 2, 2)?;
    if header < 20 || total < header || whole && total != bytes.len() || number(bytes, 6, 2)? & 0xbfff != 0 {
        return None;
    }
    let mut options = bytes.get(20..header)?;
    while let Some(kind) = options.first() {
        match kind {
            0 => break,
            1 => options = options.get(1..)?,
            131 | 137 => return None,
            _ => {
                let length = number(options, 1, 1)?;
                if length < 2 {
                    return None;
                }
                options = options.get(length..)?;
            }
        }
    }
    let address = |at: usize| Some(IpAddr::from(Ipv4Addr::from(u32::try_from(number(bytes, at, 4)?).ok()?)));
    let payload = bytes.get(header..total.min(bytes.len()))?;
    Some((address(12)?, address(16)?, *bytes.get(9)?, payload))
}

fn v6(bytes: &[u8], whole: bool) -> Option<(IpAddr, IpAddr, u8, &[u8])> {
    let length = number(bytes, 4, 2)?;
    let mut payload = bytes.get(40..)?;
    if whole && length != payload.len() {
        return None;
    }
    payload = payload.get(..length).unwrap_or(payload);
    let address =
        |at: usize| Some(IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok()?)));
    let mut next = *bytes.get(6)?;
    let mut walked = 0;
    while next == 60 || next == 0 && walked == 0 {
        next = *payload.first()?;
        payload = payload.get((number(payload, 1, 1)? + 1) * 8..)?;
        walked += 1;
    }
    // Routing headers, fragments, and hop-by-hop options anywhere but at the front.
    if walked > 8 || [43, 44, 0].contains(&next) {
        return None;
    }
    Some((address(8)?, address(24)?, next, payload))
}

pub(super) fn transport(protocol: u8, bytes: &[u8], is_v4: bool, whole: bool) -> Option<Payload> {
    let ports =
        || Some((u16::try_from(number(bytes, 0, 2)?).ok()?, u16::try_from(number(bytes, 2, 2)?).ok()?));
    bytes.get(..8)?;
    match (protocol, is_v4) {
        (6, _) => {
            let header = || Some((number(bytes, 12, 1)? >> 4) * 4);
            if whole && !(20..=bytes.len()).contains(&header()?) {
                return None;
            }
            ports().map(|(source, destination)| Payload::Tcp { source, destination })
        }
        (17, _) => {
            if whole && !(8..=bytes.len()).contains(&number(bytes, 4, 2)?) {
                return None;
            }
            ports().map(|(source, destination)| Payload::Udp { source, destination })
        }
        (1, true) | (58, false) => {
            let id = u16::try_from(number(bytes, 4, 2)?).ok()?;
            match (is_v4, number(bytes, 0, 1)?, number(bytes, 1, 1)?) {
                (true, 8, 0) | (false, 128, 0) => Some(Payload::EchoRequest { id }),
                (true, 0, 0) | (false, 129, 0) => Some(Payload::EchoReply { id }),
                (true, 3 | 11 | 12, _) | (false, 1..=4, _) if whole => error(bytes.get(8..)?, is_v4),
                _ => None,
            }
        }
        _ => None,
    }
}

fn error(quoted: &[u8], is_v4: bool) -> Option<Payload> {
    let (source, destination, protocol, payload) = network(quoted, false)?;
    if source.is_ipv4() != is_v4 {
        return None;
    }
    let payload = Box::new(transport(protocol, payload, is_v4, false)?);
    Some(Payload::Error { source, destination, payload })
}

/// The bytes from `at` on as a number.
pub(super) fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}
