//! Fragments, put together the plainest way.

use std::net::IpAddr;
use std::time::Duration;

use super::read::{network, number, transport};

/// Puts fragments together that go in one direction, without any limit to how many wait.
///
/// A fragment that is no proper one is dropped and changes nothing. One that does not fit those that wait of its packet
/// spoils it: they are dropped together. Whatever comes of it later begins anew.
#[derive(Debug, Clone, Default)]
pub struct Reassembly {
    /// In the order in which they came.
    pieces: Vec<Piece>,
}

/// What becomes of a packet or fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// A whole packet is there.
    Whole {
        /// The packet.
        packet: Vec<u8>,
        /// Its fragments, in order; the packet itself if it was never taken apart.
        parts: Vec<Vec<u8>>,
    },
    /// It waits for the rest of its packet.
    Waits,
    /// It is dropped, with all that waited of its packet if it does not fit that.
    Dropped,
}

impl Taken {
    /// The whole packet, if it is there.
    #[must_use]
    pub fn whole(self) -> Option<Vec<u8>> {
        match self {
            Self::Whole { packet, .. } => Some(packet),
            Self::Waits | Self::Dropped => None,
        }
    }
}

#[derive(Debug, Clone)]
struct Piece {
    name: Name,
    bytes: Vec<u8>,
    /// The headers before the fragment's own.
    head: Vec<u8>,
    /// In IPv6, what the payload begins with.
    next: u8,
    offset: usize,
    more: bool,
    payload: Vec<u8>,
    age: Duration,
}

/// What the fragments of one packet have in common: addresses, identification and, in IPv4, the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Name(IpAddr, IpAddr, usize, u8);

impl Reassembly {
    /// Takes a packet or a fragment.
    pub fn take(&mut self, bytes: &[u8]) -> Taken {
        if !is_fragment(bytes) {
            return Taken::Whole { packet: bytes.to_vec(), parts: vec![bytes.to_vec()] };
        }
        let Some(piece) = piece(bytes) else { return Taken::Dropped };
        if piece.offset == 0 && !piece.more {
            // Whole in itself, it has nothing to do with what waits (RFC 8200 section 4.5).
            return Taken::Whole { packet: piece.packet(&piece.payload), parts: vec![piece.bytes] };
        }
        let name = piece.name;
        if self.pieces.iter().any(|other| other.name == name && !fit(other, &piece)) {
            self.pieces.retain(|other| other.name != name);
            return Taken::Dropped;
        }
        self.pieces.push(piece);
        let mut all: Vec<&Piece> = self.pieces.iter().filter(|other| other.name == name).collect();
        all.sort_by_key(|piece| piece.offset);
        let Some(packet) = joined(&all) else { return Taken::Waits };
        let parts = all.iter().map(|piece| piece.bytes.clone()).collect();
        self.pieces.retain(|other| other.name != name);
        Taken::Whole { packet, parts }
    }

    /// Lets time pass: packets whose first fragment came `patience` ago or longer are forgotten.
    pub fn wait(&mut self, time: Duration, patience: Duration) {
        for piece in &mut self.pieces {
            piece.age += time;
        }
        let old: Vec<Name> =
            self.pieces.iter().filter(|piece| piece.age >= patience).map(|piece| piece.name).collect();
        self.pieces.retain(|piece| !old.contains(&piece.name));
    }

    /// How many packets wait for the rest of their fragments.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let mut names: Vec<Name> = Vec::new();
        for piece in &self.pieces {
            if !names.contains(&piece.name) {
                names.push(piece.name);
            }
        }
        names.len()
    }
}

/// Whether two fragments can be of one packet: they do not overlap, and none is behind the last one.
fn fit(one: &Piece, other: &Piece) -> bool {
    let (low, high) = if one.offset <= other.offset { (one, other) } else { (other, one) };
    low.more && low.offset + low.payload.len() <= high.offset
}

/// The packet that some fragments make up, in order; `None` if some are missing.
fn joined(all: &[&Piece]) -> Option<Vec<u8>> {
    let mut payload = Vec::new();
    for piece in all {
        if piece.offset != payload.len() {
            return None;
        }
        payload.extend(&piece.payload);
    }
    if all.last()?.more { None } else { Some(all.first()?.packet(&payload)) }
}

impl Piece {
    /// The packet with this fragment's headers around `payload`. One that is too long says that it is empty, and so is
    /// none.
    fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let mut packet = self.head.clone();
        if self.name.0.is_ipv4() {
            let total = u16::try_from(packet.len() + payload.len()).unwrap_or(0);
            packet.splice(2..4, total.to_be_bytes());
            packet.splice(6..8, [0, 0]);
        } else {
            let length = u16::try_from(payload.len()).unwrap_or(0);
            packet.splice(4..6, length.to_be_bytes());
            packet.splice(6..7, [self.next]);
        }
        packet.extend(payload);
        packet
    }
}

/// In IPv6 a fragment is one only if its header is the first; [`super::read`] drops what has it elsewhere.
fn is_fragment(bytes: &[u8]) -> bool {
    match number(bytes, 0, 1).map(|first| first >> 4) {
        Some(4) => number(bytes, 6, 2).is_some_and(|place| place & 0xbfff != 0),
        Some(6) => bytes.get(6) == Some(&44),
        _ => false,
    }
}

/// A proper fragment.
fn piece(bytes: &[u8]) -> Option<Piece> {
    let piece = if number(bytes, 0, 1)? >> 4 == 4 { piece_v4(bytes)? } else { piece_v6(bytes)? };
    let length = piece.payload.len();
    if length == 0 || piece.more && length % 8 != 0 || piece.offset + length > 65_535 {
        return None;
    }
    // The first one tells what is judged: all headers up to the ports, and no error with what it quotes.
    if piece.offset == 0 && piece.more {
        let begun = piece.packet(&piece.payload);
        let (source, _, protocol, payload) = network(&begun, false)?;
        transport(protocol, payload, source.is_ipv4(), false)?;
    }
    Some(piece)
}

fn piece_v4(bytes: &[u8]) -> Option<Piece> {
    let place = number(bytes, 6, 2)?;
    if place & 0x8000 != 0 {
        return None;
    }
    // But for its place, its headers are in order.
    let mut placeless = bytes.to_vec();
    placeless.splice(6..8, [0, 0]);
    let (source, destination, protocol, payload) = network(&placeless, true)?;
    let head = bytes.get(..bytes.len() - payload.len())?.to_vec();
    Some(Piece {
        name: Name(source, destination, number(bytes, 4, 2)?, protocol),
        bytes: bytes.to_vec(),
        head,
        next: 0,
        offset: (place & 0x1fff) * 8,
        more: place & 0x2000 != 0,
        payload: payload.to_vec(),
        age: Duration::ZERO,
    })
}

fn piece_v6(bytes: &[u8]) -> Option<Piece> {
    if number(bytes, 4, 2)? + 40 != bytes.len() {
        return None;
    }
    let address = |at: usize| Some(IpAddr::from(<[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok()?));
    let place = number(bytes, 42, 2)?;
    Some(Piece {
        name: Name(address(8)?, address(24)?, number(bytes, 44, 4)?, 0),
        bytes: bytes.to_vec(),
        head: bytes.get(..40)?.to_vec(),
        next: *bytes.get(40)?,
        offset: place & 0xfff8,
        more: place & 1 != 0,
        payload: bytes.get(48..)?.to_vec(),
        age: Duration::ZERO,
    })
}
