//! Packets by the byte.

use proptest::prelude::*;
use zt_backend_userspace::packet::{Body, Message, Packet, ParseError, Quote, parse};
use zt_core::testing::bytes::{self, TCP, UDP, echo_reply, echo_request, icmp, ip, tcp, udp, unreachable};

use crate::lab::{address, socket};

const NEAR: &str = "10.99.0.2:40000";
const FAR: &str = "10.100.5.10:443";
const NEAR6: &str = "[fd99::2]:40000";
const FAR6: &str = "[fd10::10]:443";

const PORTS: Message = Message::Udp { source: 40_000, destination: 443 };

fn carries(near: &str, far: &str, body: Body) -> Result<Packet, ParseError> {
    Ok(Packet { source: socket(near).ip(), destination: socket(far).ip(), body })
}

#[test]
fn messages_of_both_families_are_read() {
    for (near, far) in [(NEAR, FAR), (NEAR6, FAR6)] {
        let (from, to) = (socket(near), socket(far));
        let read =
            |packet: Vec<u8>, message| assert_eq!(parse(&packet), carries(near, far, Body::Message(message)));
        read(udp(from, to, b"data"), PORTS);
        read(udp(from, to, b""), PORTS);
        read(tcp(from, to, 0x02, b"data"), Message::Tcp { source: 40_000, destination: 443 });
        read(echo_request(from.ip(), to.ip(), 0x1234, b""), Message::EchoRequest { id: 0x1234 });
        read(echo_reply(from.ip(), to.ip(), 0x1234, b"data"), Message::EchoReply { id: 0x1234 });
    }
}

#[test]
fn errors_quote_the_packet_they_are_about_even_if_cut_short() {
    for (near, far, header) in [(NEAR, FAR, 20), (NEAR6, FAR6, 40)] {
        let (from, to) = (socket(near), socket(far));
        let about = udp(from, to, &[7; 400]);
        let quote = Quote { source: from.ip(), destination: to.ip(), message: PORTS };
        let kinds: &[u8] = if from.is_ipv4() { &[3, 11, 12] } else { &[1, 2, 3, 4] };
        for kind in kinds {
            for length in [header + 8, header + 9, about.len()] {
                let packet = icmp(to.ip(), from.ip(), *kind, &[&[0; 4], &about[..length]].concat());
                assert_eq!(parse(&packet), carries(far, near, Body::Error(quote)));
            }
            for length in [0, 1, header - 1, header, header + 7] {
                let packet = icmp(to.ip(), from.ip(), *kind, &[&[0; 4], &about[..length]].concat());
                assert_eq!(parse(&packet), Err(ParseError::Malformed), "{length}");
            }
        }
        // padded and followed by extensions (RFC 4884)
        let padded = [vec![0; 4], udp(from, to, b""), vec![0; 100]].concat();
        let packet = icmp(to.ip(), from.ip(), kinds[0], &padded);
        assert_eq!(parse(&packet), carries(far, near, Body::Error(quote)));
        let echo = unreachable(to.ip(), from.ip(), &echo_request(from.ip(), to.ip(), 5, b"ping"));
        let quote = Quote { message: Message::EchoRequest { id: 5 }, ..quote };
        assert_eq!(parse(&echo), carries(far, near, Body::Error(quote)));
        let nested = unreachable(to.ip(), from.ip(), &unreachable(from.ip(), to.ip(), &about));
        assert_eq!(parse(&nested), Err(ParseError::Unsupported));
    }
    let other_family =
        icmp(address("10.0.0.1"), address("10.0.0.2"), 3, &udp(socket(NEAR6), socket(FAR6), b""));
    assert_eq!(parse(&other_family), Err(ParseError::Malformed));
}

#[test]
fn lengths_that_contradict_each_other_are_malformed() {
    for good in [udp(socket(NEAR), socket(FAR), b"data"), tcp(socket(NEAR6), socket(FAR6), 0x10, b"data")] {
        assert!(parse(&good).is_ok());
        for length in 0..good.len() {
            assert_eq!(parse(&good[..length]), Err(ParseError::Malformed));
        }
        assert_eq!(parse(&[&good[..], &[0]].concat()), Err(ParseError::Malformed));
    }
    let with = |at: usize, byte: u8| {
        let mut packet = udp(socket(NEAR), socket(FAR), b"data");
        packet[at] = byte;
        parse(&packet)
    };
    assert_eq!(with(0, 0x44), Err(ParseError::Malformed), "header of 16 bytes");
    assert_eq!(with(0, 0x4f), Err(ParseError::Malformed), "header longer than the packet");
    assert_eq!(with(0, 0x55), Err(ParseError::Malformed), "IPv5");
    assert_eq!(with(25, 7), Err(ParseError::Malformed), "UDP length below its header");
    assert_eq!(with(25, 13), Err(ParseError::Malformed), "UDP length beyond the packet");
    let short = |protocol, bytes: usize| {
        parse(&ip(address("10.0.0.1"), address("10.0.0.2"), protocol, &vec![0; bytes]))
    };
    assert_eq!(short(TCP, 19), Err(ParseError::Malformed));
    assert_eq!(short(UDP, 7), Err(ParseError::Malformed));
    assert_eq!(short(1, 7), Err(ParseError::Malformed));
    let mut tcp_header = vec![0; 20];
    for (offset, plausible) in [(0x40, false), (0x50, true), (0x60, false)] {
        tcp_header[12] = offset;
        let packet = ip(address("10.0.0.1"), address("10.0.0.2"), TCP, &tcp_header);
        assert_eq!(parse(&packet).is_ok(), plausible, "data offset {offset:#x}");
    }
}

/// An IPv4 UDP packet with these options.
fn with_options(options: &[u8]) -> Result<Packet, ParseError> {
    parse(&bytes::with_options(&udp(socket(NEAR), socket(FAR), b"data"), options))
}

#[test]
fn ipv4_options_are_walked_and_source_routes_found() {
    let plain = carries(NEAR, FAR, Body::Message(PORTS));
    assert_eq!(with_options(&[1, 1, 1, 0]), plain);
    assert_eq!(with_options(&[0x94, 4, 0, 0]), plain, "router alert");
    assert_eq!(with_options(&[0, 131, 131, 131]), plain, "nothing counts after the end");
    assert_eq!(with_options(&[131, 3, 4, 0]), Err(ParseError::SourceRoute));
    assert_eq!(with_options(&[1, 1, 137, 3]), Err(ParseError::SourceRoute));
    assert_eq!(with_options(&[7, 0, 0, 0]), Err(ParseError::Malformed), "an option that never ends");
    assert_eq!(with_options(&[7, 1, 0, 0]), Err(ParseError::Malformed));
    assert_eq!(with_options(&[7, 5, 0, 0]), Err(ParseError::Malformed), "longer than the header");
    assert_eq!(with_options(&[1, 1, 1, 7]), Err(ParseError::Malformed));
}

#[test]
fn fragments_have_a_reason_of_their_own() {
    for (bits, fragment) in [(0x0000, false), (0x4000, false), (0x2000, true), (0x0001, true), (0x8000, true)]
    {
        let mut packet = udp(socket(NEAR), socket(FAR), b"data");
        packet[6..8].copy_from_slice(&u16::to_be_bytes(bits));
        assert_eq!(parse(&packet) == Err(ParseError::Fragment), fragment, "{bits:#x}");
        let error = unreachable(address("10.0.0.1"), address("10.0.0.2"), &packet);
        assert_eq!(parse(&error) == Err(ParseError::Fragment), fragment, "quoted {bits:#x}");
    }
}

/// An IPv6 UDP packet behind these headers, the first of which is of kind `first`.
fn behind(first: u8, headers: &[u8]) -> Result<Packet, ParseError> {
    let (near, far) = (socket(NEAR6), socket(FAR6));
    let datagram = udp(near, far, b"data").split_off(40);
    parse(&ip(near.ip(), far.ip(), first, &[headers, &datagram].concat()))
}

#[test]
fn ipv6_extension_headers_are_walked_within_bounds() {
    let plain = carries(NEAR6, FAR6, Body::Message(PORTS));
    let options = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    assert_eq!(behind(0, &options(UDP)), plain, "hop-by-hop options");
    assert_eq!(behind(60, &options(UDP)), plain, "destination options");
    assert_eq!(behind(0, &[options(60), options(UDP)].concat()), plain);
    assert_eq!(
        behind(60, &[options(0), options(UDP)].concat()),
        Err(ParseError::Malformed),
        "hop-by-hop second"
    );
    assert_eq!(
        behind(60, &[[60; 8]; 9].concat()),
        Err(ParseError::Malformed),
        "lengths run beyond the packet"
    );
    let chain = |count: usize| [vec![options(60); count - 1], vec![options(UDP)]].concat().concat();
    assert_eq!(behind(60, &chain(8)), plain);
    assert_eq!(behind(60, &chain(9)), Err(ParseError::Unsupported));
    assert_eq!(behind(43, &options(UDP)), Err(ParseError::SourceRoute));
    assert_eq!(behind(60, &[options(43), options(UDP)].concat()), Err(ParseError::SourceRoute));
    assert_eq!(behind(44, &options(UDP)), Err(ParseError::Fragment), "an atomic one too");
    for unknown in [50, 51, 59, 135, 139, 140, 253, 1, 41, 4, 47, 132] {
        assert_eq!(behind(unknown, &options(UDP)), Err(ParseError::Unsupported), "{unknown}");
    }
}

#[test]
fn other_protocols_and_kinds_of_icmp_are_not_supported() {
    let (near, far) = (address("10.0.0.1"), address("10.0.0.2"));
    let (near6, far6) = (address("fd00::1"), address("fd00::2"));
    for protocol in [0, 2, 4, 41, 43, 44, 47, 50, 51, 58, 60, 132, 136, 255] {
        assert_eq!(parse(&ip(near, far, protocol, &[0; 40])), Err(ParseError::Unsupported), "{protocol}");
    }
    assert_eq!(parse(&ip(near6, far6, 1, &[8, 0, 0, 0, 0, 0, 0, 0])), Err(ParseError::Unsupported));
    for kind in (0..=255).filter(|kind| ![0, 3, 8, 11, 12].contains(kind)) {
        assert_eq!(parse(&icmp(near, far, kind, &[0; 40])), Err(ParseError::Unsupported), "{kind}");
    }
    for kind in (0..=255).filter(|kind| ![1, 2, 3, 4, 128, 129].contains(kind)) {
        assert_eq!(parse(&icmp(near6, far6, kind, &[0; 60])), Err(ParseError::Unsupported), "{kind}");
    }
    let mut odd_code = echo_request(near, far, 1, b"");
    odd_code[21] = 1;
    assert_eq!(parse(&odd_code), Err(ParseError::Unsupported));
}

fn any_good_packet() -> impl Strategy<Value = Vec<u8>> {
    let about = udp(socket(NEAR), socket(FAR), b"about");
    let about6 = tcp(socket(NEAR6), socket(FAR6), 2, b"about");
    prop::sample::select(vec![
        udp(socket(NEAR), socket(FAR), b"data"),
        tcp(socket(NEAR6), socket(FAR6), 2, b"data"),
        echo_request(address("fd99::2"), address("fd10::10"), 1, b"ping"),
        unreachable(address("10.100.5.10"), address("10.99.0.2"), &about),
        unreachable(address("fd10::10"), address("fd99::2"), &about6),
        ip(
            address("fd99::2"),
            address("fd10::10"),
            0,
            &[60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0, 0, 1],
        ),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn inv_r1_no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
        for version in [0x45, 0x46, 0x60] {
            let mut bytes = bytes.clone();
            bytes.iter_mut().take(1).for_each(|byte| *byte = version);
            let _ = parse(&bytes);
        }
    }

    #[test]
    fn inv_r1_no_change_of_a_good_packet_makes_the_parser_panic(
        mut packet in any_good_packet(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        keep in any::<prop::sample::Index>(),
    ) {
        let kept = packet[..keep.index(packet.len())].to_vec();
        prop_assert!(parse(&kept).is_err());
        for (at, byte) in changes {
            let at = at.index(packet.len());
            packet[at] = byte;
            let _ = parse(&packet);
        }
    }
}
