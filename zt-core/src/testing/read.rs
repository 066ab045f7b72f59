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
fn network(bytes: &[u8], whole: bool) -> Option<(IpAddr, IpAddr, u8, &[u8])> {
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

fn transport(protocol: u8, bytes: &[u8], is_v4: bool, whole: bool) -> Option<Payload> {
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
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

/// Puts fragments together, without any limit.
#[derive(Debug, Clone, Default)]
pub struct Reassembly {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    /// Of which packet: the side, the addresses, the identification and the protocol.
    key: Vec<u8>,
    /// The headers before the fragment's own.
    head: Vec<u8>,
    next: u8,
    offset: usize,
    more: bool,
    payload: Vec<u8>,
}

impl Reassembly {
    /// Takes a packet or a fragment; gives the whole packet once all of it is there. Fragments that overlap are dropped
    /// with all others of their packet.
    pub fn take(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let Some(piece) = piece(bytes) else { return Some(bytes.to_vec()) };
        let end = |piece: &Piece| piece.offset + piece.payload.len();
        let same = |other: &&Piece| other.key == piece.key;
        if self
            .pieces
            .iter()
            .filter(same)
            .any(|other| other.offset < end(&piece) && piece.offset < end(other))
        {
            self.pieces.retain(|other| other.key != piece.key);
            return None;
        }
        let key = piece.key.clone();
        self.pieces.push(piece);
        let mut all: Vec<Piece> = self.pieces.iter().filter(|piece| piece.key == key).cloned().collect();
        all.sort_by_key(|piece| piece.offset);
        let mut payload = Vec::new();
        for piece in &all {
            if piece.offset != payload.len() {
                return None;
            }
            payload.extend(&piece.payload);
        }
        let (first, last) = (all.first()?, all.last()?);
        if last.more {
            return None;
        }
        let whole =
            if first.head.first()? >> 4 == 4 { whole_v4(first, &payload) } else { whole_v6(first, &payload) };
        self.pieces.retain(|piece| piece.key != key);
        Some(whole)
    }
}

fn whole_v4(first: &Piece, payload: &[u8]) -> Vec<u8> {
    let mut packet = first.head.clone();
    let total = u16::try_from(packet.len() + payload.len()).unwrap_or(0);
    packet.splice(2..4, total.to_be_bytes());
    packet.splice(6..8, [0, 0]);
    packet.extend(payload);
    packet
}

fn whole_v6(first: &Piece, payload: &[u8]) -> Vec<u8> {
    let mut packet = first.head.clone();
    let length = u16::try_from(packet.len() - 40 + payload.len()).unwrap_or(0);
    packet.splice(4..6, length.to_be_bytes());
    packet.splice(6..7, [first.next]);
    packet.extend(payload);
    packet
}

/// A fragment; `None` if it is none. In IPv6 its header is the first.
fn piece(bytes: &[u8]) -> Option<Piece> {
    match number(bytes, 0, 1)? >> 4 {
        4 => {
            let place = number(bytes, 6, 2)?;
            let header = (number(bytes, 0, 1)? & 15) * 4;
            let total = number(bytes, 2, 2)?;
            if place & 0x3fff == 0 || total != bytes.len() {
                return None;
            }
            let key = [bytes.get(12..20)?, bytes.get(4..6)?, bytes.get(9..10)?].concat();
            let (head, payload) = bytes.split_at_checked(header)?;
            let (offset, more) = ((place & 0x1fff) * 8, place & 0x2000 != 0);
            Some(Piece { key, head: head.to_vec(), next: 0, offset, more, payload: payload.to_vec() })
        }
        6 if *bytes.get(6)? == 44 && number(bytes, 4, 2)? + 40 == bytes.len() => {
            let place = number(bytes, 42, 2)?;
            let key = [bytes.get(8..40)?, bytes.get(44..48)?].concat();
            let (head, payload) = (bytes.get(..40)?.to_vec(), bytes.get(48..)?.to_vec());
            let (offset, more) = (place & 0xfff8, place & 1 != 0);
            Some(Piece { key, head, next: *bytes.get(40)?, offset, more, payload })
        }
        _ => None,
    }
}
