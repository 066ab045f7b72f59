//! Headers of inner packets, read plainly by their offsets, to hold against what the parser says.

use std::net::IpAddr;

use zt_backend_userspace::packet::{Body, Message, Packet, parse};

/// What the parser says is in the bytes.
pub(crate) fn assert_in_bytes(bytes: &[u8], packet: &Packet) {
    assert_eq!(parse(bytes), Ok(*packet), "parsed again it differs");
    assert_eq!(length(bytes), bytes.len(), "a packet that does not fill its bytes");
    let (addresses, protocol, transport) = if packet.source.is_ipv4() {
        assert_eq!(word(bytes, 6) & 0xbfff, 0, "a fragment");
        let header = usize::from(byte(bytes, 0) & 0x0f).saturating_mul(4);
        (bytes.get(12..20), byte(bytes, 9), header)
    } else {
        (bytes.get(8..40), byte(bytes, 6), 40)
    };
    let said = [packet.source, packet.destination].map(octets).concat();
    assert_eq!(addresses, Some(&said[..]), "other addresses than in the header");
    let echo = (byte(bytes, transport), word(bytes, transport.saturating_add(4)));
    let ports = (word(bytes, transport), word(bytes, transport.saturating_add(2)));
    match (protocol, packet.body) {
        (_, Body::Error(quote)) => {
            let families = [quote.source, quote.destination].map(|quoted| quoted.is_ipv4());
            assert_eq!(families, [packet.source.is_ipv4(); 2], "a quote of the other family");
        }
        // behind extension headers, which are not walked here
        (0 | 60, _) => assert!(packet.source.is_ipv6()),
        (6, Body::Message(message)) => {
            assert_eq!(message, Message::Tcp { source: ports.0, destination: ports.1 });
        }
        (17, Body::Message(message)) => {
            assert_eq!(message, Message::Udp { source: ports.0, destination: ports.1 });
        }
        (protocol, Body::Message(message)) => {
            let of = |kind: u8, id| match (protocol, kind) {
                (1, 8) | (58, 128) => Some(Message::EchoRequest { id }),
                (1, 0) | (58, 129) => Some(Message::EchoReply { id }),
                _ => None,
            };
            assert_eq!(Some(message), of(echo.0, echo.1), "of protocol {protocol}");
        }
    }
}

/// How long a packet is by its own account; the rest of the bytes if it gives none.
pub(crate) fn length(bytes: &[u8]) -> usize {
    let said = match byte(bytes, 0) >> 4 {
        4 => usize::from(word(bytes, 2)),
        6 => usize::from(word(bytes, 4)).saturating_add(40),
        _ => 0,
    };
    if said == 0 { bytes.len() } else { said }
}

/// The byte at a place; 0 behind the end.
fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// The 16 bits at a place.
fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([byte(bytes, at), byte(bytes, at.saturating_add(1))])
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
