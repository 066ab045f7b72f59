//! Packets as bytes, written by hand, with right checksums. Shares no code with any parser.

use std::net::{IpAddr, SocketAddr};

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// TCP's flag that opens a connection.
pub const SYN: u8 = 0x02;
/// TCP's flag of all segments but the first.
pub const ACK: u8 = 0x10;

/// A UDP datagram; the addresses are of one family.
#[must_use]
pub fn udp(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut datagram = ports(source, destination);
    datagram.extend(length(payload.len().saturating_add(8)));
    datagram.extend([0, 0]);
    datagram.extend(payload);
    ip(source.ip(), destination.ip(), UDP, summed(datagram, 6, Some((source.ip(), destination.ip(), UDP))))
}

/// A TCP segment with these flags.
#[must_use]
pub fn tcp(source: SocketAddr, destination: SocketAddr, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = ports(source, destination);
    segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    ip(source.ip(), destination.ip(), TCP, summed(segment, 16, Some((source.ip(), destination.ip(), TCP))))
}

/// An echo request.
#[must_use]
pub fn echo_request(source: IpAddr, destination: IpAddr, id: u16, payload: &[u8]) -> Vec<u8> {
    icmp(source, destination, if source.is_ipv4() { 8 } else { 128 }, &echo(id, payload))
}

/// An echo reply.
#[must_use]
pub fn echo_reply(source: IpAddr, destination: IpAddr, id: u16, payload: &[u8]) -> Vec<u8> {
    icmp(source, destination, if source.is_ipv4() { 0 } else { 129 }, &echo(id, payload))
}

/// A "destination unreachable" that quotes the first 256 bytes of `about`.
#[must_use]
pub fn unreachable(source: IpAddr, destination: IpAddr, about: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(about.get(..256).unwrap_or(about));
    icmp(source, destination, if source.is_ipv4() { 3 } else { 1 }, &body)
}

/// An ICMP message of a type with code 0; `body` is what follows the checksum.
#[must_use]
pub fn icmp(source: IpAddr, destination: IpAddr, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend(body);
    let (protocol, pseudo) = match source {
        IpAddr::V4(_) => (ICMP, None),
        IpAddr::V6(_) => (ICMPV6, Some((source, destination, ICMPV6))),
    };
    ip(source, destination, protocol, summed(message, 2, pseudo))
}

/// An IP packet around `payload`. Without a common family of the addresses, it is an IPv4 packet between nobody.
#[must_use]
pub fn ip(source: IpAddr, destination: IpAddr, protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    match (source, destination) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend(length(payload.len()));
            packet.extend([protocol, 64]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend(payload);
            packet
        }
        (source, destination) => ipv4([source, destination], protocol, [0, 0, 0, 0], &payload),
    }
}

/// A packet in pieces of `size` bytes of payload each but for the last; `size` is rounded down to a multiple of 8.
///
/// A packet that one piece would hold is given as it is.
#[must_use]
pub fn fragments(packet: &[u8], size: usize, id: u32) -> Vec<Vec<u8>> {
    let size = size & !7;
    let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
    let header = if is_v4 { 20 } else { 40 };
    let Some((head, payload)) = packet.split_at_checked(header) else { return vec![packet.to_vec()] };
    if size == 0 || payload.len() <= size {
        return vec![packet.to_vec()];
    }
    let count = payload.len().div_ceil(size);
    let pieces = payload.chunks(size).zip(0_usize..);
    let piece = pieces.map(|(piece, place)| {
        let more = place.saturating_add(1) < count;
        let offset = u16::try_from(place.saturating_mul(size)).unwrap_or(u16::MAX);
        if is_v4 {
            piece_v4(head, piece, (offset, more), id)
        } else {
            piece_v6(head, piece, (offset, more), id)
        }
    });
    piece.collect()
}

fn piece_v4(head: &[u8], piece: &[u8], (offset, more): (u16, bool), id: u32) -> Vec<u8> {
    let byte = |at: usize| head.get(at).copied().unwrap_or(0);
    let address = |from: usize| IpAddr::from([byte(from), byte(from | 1), byte(from | 2), byte(from | 3)]);
    let place = (offset >> 3) | if more { 0x2000 } else { 0 };
    let [_, _, id_high, id_low] = id.to_be_bytes();
    let [place_high, place_low] = place.to_be_bytes();
    ipv4([address(12), address(16)], byte(9), [id_high, id_low, place_high, place_low], piece)
}

fn piece_v6(head: &[u8], piece: &[u8], (offset, more): (u16, bool), id: u32) -> Vec<u8> {
    let mut packet = head.get(..4).unwrap_or_default().to_vec();
    packet.extend(length(piece.len().saturating_add(8)));
    let next = head.get(6).copied().unwrap_or(0);
    packet.push(44);
    packet.extend(head.get(7..).unwrap_or_default());
    packet.extend([next, 0]);
    packet.extend((offset | u16::from(more)).to_be_bytes());
    packet.extend(id.to_be_bytes());
    packet.extend(piece);
    packet
}

/// An IPv6 packet with an extension header of 8 bytes before what it carries: 0 is hop-by-hop options, 60 destination
/// options, both holding padding; 43 a routing header of type 0 without a way to go.
#[must_use]
pub fn with_extension(packet: &[u8], kind: u8) -> Vec<u8> {
    let Some((head, payload)) = packet.split_at_checked(40) else { return packet.to_vec() };
    let next = head.get(6).copied().unwrap_or(0);
    let mut extended = head.get(..4).unwrap_or_default().to_vec();
    extended.extend(length(payload.len().saturating_add(8)));
    extended.push(kind);
    extended.extend(head.get(7..).unwrap_or_default());
    // Options: one that pads 4 bytes. A routing header: type 0, no segments left.
    extended.extend(if kind == 43 { [next, 0, 0, 0, 0, 0, 0, 0] } else { [next, 0, 1, 4, 0, 0, 0, 0] });
    extended.extend(payload);
    extended
}

fn ipv4([source, destination]: [IpAddr; 2], protocol: u8, place: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let octets = |address| if let IpAddr::V4(address) = address { address.octets() } else { [0; 4] };
    let mut header = vec![0x45, 0];
    header.extend(length(payload.len().saturating_add(20)));
    header.extend(place);
    header.extend([64, protocol, 0, 0]);
    header.extend(octets(source));
    header.extend(octets(destination));
    let mut packet = summed(header, 10, None);
    packet.extend(payload);
    packet
}

fn echo(id: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend([0, 1]);
    body.extend(payload);
    body
}

fn ports(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat()
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

/// `bytes` with the Internet checksum (RFC 1071) of them and of a pseudo header at `at`, where zeros are.
fn summed(mut bytes: Vec<u8>, at: usize, pseudo: Option<(IpAddr, IpAddr, u8)>) -> Vec<u8> {
    let mut summed = Vec::new();
    if let Some((source, destination, protocol)) = pseudo {
        for address in [source, destination] {
            match address {
                IpAddr::V4(address) => summed.extend(address.octets()),
                IpAddr::V6(address) => summed.extend(address.octets()),
            }
        }
        summed.extend([0, protocol]);
        summed.extend(length(bytes.len()));
    }
    // What comes before is a whole number of words.
    summed.extend(&bytes);
    let words = summed.chunks(2).map(|pair| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(u16::from_be_bytes([high, 0])),
        _ => 0,
    });
    let mut sum = words.fold(0_u64, u64::saturating_add);
    while sum > 0xffff {
        sum = (sum & 0xffff).saturating_add(sum >> 16);
    }
    let sum = u16::try_from(sum).unwrap_or(0);
    // In UDP a checksum of zero means that there is none.
    let sum = if sum == 0xffff { 0xffff } else { !sum };
    for (byte, place) in sum.to_be_bytes().into_iter().zip(at..) {
        if let Some(slot) = bytes.get_mut(place) {
            *slot = byte;
        }
    }
    bytes
}
