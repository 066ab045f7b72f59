//! Packets made by hand. Shares no code with the parser.

use std::net::{IpAddr, SocketAddr};

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// An IP packet around `payload`; for ICMP `protocol` is 1 in IPv4 and 58 in IPv6.
pub(crate) fn ip(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let total = u16::try_from(20 + payload.len()).unwrap();
            let mut packet = vec![0x45, 0];
            packet.extend(total.to_be_bytes());
            packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            let sum = checksum(&packet);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            packet.extend(payload);
            packet
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
            packet.extend([protocol, 64]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend(payload);
            packet
        }
        _ => panic!("{source} and {destination} are not of one family"),
    }
}

pub(crate) fn udp(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut datagram = ports(source, destination);
    datagram.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    ip(source.ip(), destination.ip(), UDP, &datagram)
}

/// A TCP segment with the given flags (0x02 is SYN, 0x10 ACK).
pub(crate) fn tcp(source: SocketAddr, destination: SocketAddr, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = ports(source, destination);
    segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    ip(source.ip(), destination.ip(), TCP, &segment)
}

pub(crate) fn echo_request(source: IpAddr, destination: IpAddr, id: u16, payload: &[u8]) -> Vec<u8> {
    icmp(source, destination, if source.is_ipv4() { 8 } else { 128 }, &echo(id, payload))
}

pub(crate) fn echo_reply(source: IpAddr, destination: IpAddr, id: u16, payload: &[u8]) -> Vec<u8> {
    icmp(source, destination, if source.is_ipv4() { 0 } else { 129 }, &echo(id, payload))
}

/// A "destination unreachable" that quotes up to 28 bytes beyond the IP header of `about`.
pub(crate) fn unreachable(source: IpAddr, destination: IpAddr, about: &[u8]) -> Vec<u8> {
    let (kind, header) = if source.is_ipv4() { (3, 20) } else { (1, 40) };
    let mut body = vec![0; 4];
    body.extend(&about[..about.len().min(header + 28)]);
    icmp(source, destination, kind, &body)
}

/// An ICMP message with code 0; `body` is what follows the checksum.
pub(crate) fn icmp(source: IpAddr, destination: IpAddr, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend(body);
    ip(source, destination, if source.is_ipv4() { 1 } else { 58 }, &message)
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

fn checksum(header: &[u8]) -> u16 {
    let sum: u32 = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap()
}
