//! Packets as bytes, written by hand, with right checksums. Shares no code with any parser.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

/// The protocol number of TCP.
pub const TCP: u8 = 6;
/// The protocol number of UDP.
pub const UDP: u8 = 17;
const ICMP: u8 = 1;
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
    ip(source.ip(), destination.ip(), UDP, &summed(datagram, 6, Some((source.ip(), destination.ip(), UDP))))
}

/// A TCP segment with these flags.
#[must_use]
pub fn tcp(source: SocketAddr, destination: SocketAddr, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = ports(source, destination);
    segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    ip(source.ip(), destination.ip(), TCP, &summed(segment, 16, Some((source.ip(), destination.ip(), TCP))))
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
    ip(source, destination, protocol, &summed(message, 2, pseudo))
}

/// An IP packet around `payload`. Without a common family of the addresses, it is an IPv4 packet between nobody.
#[must_use]
pub fn ip(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let octets = |address| if let IpAddr::V4(address) = address { address.octets() } else { [0; 4] };
    if let (IpAddr::V6(source), IpAddr::V6(destination)) = (source, destination) {
        let mut header = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
        header.extend(source.octets());
        header.extend(destination.octets());
        return v6(header, payload);
    }
    let mut header = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
    header.extend(octets(source));
    header.extend(octets(destination));
    v4(header, payload)
}

/// A packet in pieces of `size` bytes of payload each but for the last; `size` is rounded down to a multiple of 8.
///
/// A packet that one piece would hold is given as it is.
#[must_use]
pub fn fragments(packet: &[u8], size: usize, id: u32) -> Vec<Vec<u8>> {
    let size = size & !7;
    let length = payload(packet).map_or(0, <[u8]>::len);
    if size == 0 || length <= size {
        return vec![packet.to_vec()];
    }
    let starts = (0..length).step_by(size);
    let piece = |start: usize| {
        let end = start.saturating_add(size).min(length);
        fragment(packet, start..end, end < length, id)
    };
    starts.map(piece).collect()
}

/// The piece of a packet that holds this range of its payload, which begins at a multiple of 8; `more` says whether it
/// claims not to be the last. In IPv4 it has all options of the packet; in IPv6 all extension headers are payload.
#[must_use]
pub fn fragment(packet: &[u8], range: Range<usize>, more: bool, id: u32) -> Vec<u8> {
    let offset = u16::try_from(range.start & !7).unwrap_or(!7);
    let payload = payload(packet).unwrap_or_default();
    let head = packet.get(..packet.len().saturating_sub(payload.len())).unwrap_or_default();
    let piece = payload.get(range).unwrap_or_default();
    if is_v4(packet) {
        let [_, _, id_high, id_low] = id.to_be_bytes();
        let [place_high, place_low] = ((offset >> 3) | if more { 0x2000 } else { 0 }).to_be_bytes();
        return v4(with(head, 4, &[id_high, id_low, place_high, place_low]), piece);
    }
    let mut header = vec![head.get(6).copied().unwrap_or(0), 0];
    header.extend((offset | u16::from(more)).to_be_bytes());
    header.extend(id.to_be_bytes());
    header.extend(piece);
    v6(with(head, 6, &[44]), &header)
}

/// An IPv4 packet with options, of 40 bytes at most, which are padded with their end.
#[must_use]
pub fn with_options(packet: &[u8], options: &[u8]) -> Vec<u8> {
    let (Some(head), Some(payload)) = (packet.get(..20), payload(packet)) else { return packet.to_vec() };
    let options = options.get(..40).unwrap_or(options);
    let words = options.len().div_ceil(4);
    let mut header = with(head, 0, &[0x45_u8.saturating_add(u8::try_from(words).unwrap_or(0))]);
    header.extend(options);
    header.resize(words.saturating_mul(4).saturating_add(20), 0);
    v4(header, payload)
}

/// An IPv6 packet with an extension header of 8 bytes before what it carries: 0 is hop-by-hop options, 60 destination
/// options, both holding padding; 43 a routing header of type 0 without a way to go.
#[must_use]
pub fn with_extension(packet: &[u8], kind: u8) -> Vec<u8> {
    with_long_extension(packet, kind, 0)
}

/// The same with a header that is `more` times 8 bytes longer, 31 times at most.
#[must_use]
pub fn with_long_extension(packet: &[u8], kind: u8, more: u8) -> Vec<u8> {
    let Some((head, payload)) = packet.split_at_checked(40) else { return packet.to_vec() };
    let more = more.min(31);
    let next = head.get(6).copied().unwrap_or(0);
    // Options: one that pads the rest. A routing header: type 0, no segments left.
    let padding = more.saturating_mul(8).saturating_add(4);
    let [option, length] = if kind == 43 { [0, 0] } else { [1, padding] };
    let mut extended = vec![next, more, option, length];
    extended.resize(usize::from(padding).saturating_add(4), 0);
    extended.extend(payload);
    v6(with(head, 6, &[kind]), &extended)
}

/// What is behind an IPv4 header with its options, or behind a fixed IPv6 header.
fn payload(packet: &[u8]) -> Option<&[u8]> {
    let words = packet.first().map_or(0, |first| first & 15);
    packet.get(if is_v4(packet) { usize::from(words).saturating_mul(4) } else { 40 }..)
}

fn is_v4(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first >> 4 == 4)
}

/// A packet of an IPv4 header, whose length and checksum are filled in, and a payload.
fn v4(header: Vec<u8>, payload: &[u8]) -> Vec<u8> {
    let total = length(header.len().saturating_add(payload.len()));
    let mut packet = summed(with(&with(&header, 2, &total), 10, &[0, 0]), 10, None);
    packet.extend(payload);
    packet
}

/// A packet of a fixed IPv6 header, whose length is filled in, and what follows it.
fn v6(header: Vec<u8>, payload: &[u8]) -> Vec<u8> {
    let mut packet = with(&header, 4, &length(payload.len()));
    packet.extend(payload);
    packet
}

/// `bytes` with `new` in place of those at `at`.
fn with(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (slot, byte) in bytes.iter_mut().skip(at).zip(new) {
        *slot = *byte;
    }
    bytes
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
fn summed(bytes: Vec<u8>, at: usize, pseudo: Option<(IpAddr, IpAddr, u8)>) -> Vec<u8> {
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
    with(&bytes, at, &sum.to_be_bytes())
}
