//! Inner packets, and what the filter makes of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use zt_backend_userspace::clock::ManualClock;
use zt_backend_userspace::filter::{Direction, DropReason, Filter, Verdict};
use zt_backend_userspace::packet::{ParseError, parse};
use zt_core::backend::Backend as _;
use zt_core::desired::{Cell, Pair, PairEnd, Source};
use zt_core::id::{Generation, RegionId, SessionEpoch, SessionId};
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::{PortRange, Prefix, Protocol};
use zt_core::plan::{Add, Cut, Plan, Step};
use zt_core::testing::{self, FakeBackend, Reassembly, Side, read};
use zt_core::time::{Anchor, BootInstant};

use crate::example::START;
use crate::header::{assert_in_bytes, length};

/// So many packets are looked at.
const PACKETS: usize = 64;

/// Takes `bytes` for packets, one behind the other, each as long as its header says.
///
/// What is parsed is in the bytes. The filter judges each packet, in both directions, as a linear scan over the same
/// rules does that reads packets in its own way, and hands on only what it accepts: fragments all together, if what they
/// make up is accepted. Once its gate is closed that is nothing.
pub fn body(mut bytes: &[u8]) {
    let rules = rules();
    let anchor = Anchor { at: START, boot: BootInstant::default() };
    let filter = Filter::new(Arc::new(ManualClock::default()));
    assert_eq!(filter.add(&rules.iter().collect::<Vec<_>>(), anchor), Ok(()));
    let judge = FakeBackend::default();
    let steps = rules.iter().cloned().map(Step::Add).collect();
    let applied = judge.apply(&Plan { generation: Generation::default(), now: START, steps }).now_or_never();
    assert_eq!(applied.map(|done| done.is_ok()), Some(true));
    let mut packets = Vec::new();
    while !bytes.is_empty() && packets.len() < PACKETS {
        let (packet, rest) = bytes.split_at_checked(length(bytes)).unwrap_or((bytes, &[]));
        packets.push(packet);
        bytes = rest;
    }
    for bytes in &packets {
        let parsed = parse(bytes);
        if let Ok(packet) = &parsed {
            assert_in_bytes(bytes, packet);
        }
        for (direction, side) in
            [(Direction::ToDevice, Side::Network), (Direction::FromDevice, Side::Device(key()))]
        {
            let accepts = |packet| judge.judge(&packet, START) == testing::Verdict::Accept;
            let (verdict, handed_on) = pass(&filter, direction, bytes);
            match &parsed {
                Err(ParseError::Fragment) if verdict == Verdict::Accept => {
                    let mut reassembly = Reassembly::default();
                    let taken = handed_on.iter().filter_map(|part| reassembly.take(part).whole());
                    let wholes: Vec<_> = taken.collect();
                    assert_eq!(wholes.len(), 1, "{handed_on:?}");
                    let packets = wholes.iter().map(|whole| read(side, whole));
                    assert!(packets.flatten().any(accepts), "{direction:?}: {wholes:?}");
                }
                Err(ParseError::Fragment) => assert!(handed_on.is_empty()),
                Err(error) => assert_eq!(verdict, Verdict::Drop(DropReason::Unparsed(*error))),
                Ok(_) => {
                    let expected = read(side, bytes).is_some_and(accepts);
                    assert_eq!(verdict == Verdict::Accept, expected, "{verdict:?} {direction:?}: {parsed:?}");
                }
            }
            if parsed.is_err() {
                assert_eq!(read(side, bytes), None);
            }
        }
    }
    filter.cut(&[&Cut::Gate], anchor);
    for bytes in packets {
        let (verdict, _) = pass(&filter, Direction::FromDevice, bytes);
        assert!(matches!(verdict, Verdict::Drop(_)), "the gate is closed");
    }
}

/// The filter's verdict, and what it handed on: something if and only if it accepts.
fn pass(filter: &Filter, direction: Direction, bytes: &[u8]) -> (Verdict, Vec<Vec<u8>>) {
    let mut handed_on = Vec::new();
    let verdict = filter.pass(direction, bytes, |bytes| {
        handed_on.push(bytes.to_vec());
        true
    });
    assert_eq!(!handed_on.is_empty(), verdict == Verdict::Accept);
    (verdict, handed_on)
}

/// One device with an address of each family, and one resource with some services of each.
fn rules() -> Vec<Add> {
    let until = START.after(Duration::from_mins(1));
    let region = RegionId(1);
    let ends: [(IpAddr, IpAddr); 2] = [
        (Ipv4Addr::new(10, 99, 0, 2).into(), Ipv4Addr::new(10, 100, 5, 10).into()),
        (
            Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 2).into(),
            Ipv6Addr::new(0xfd10, 0, 0, 0, 0, 0, 0, 0x10).into(),
        ),
    ];
    let mut rules = vec![Add::Peer(key()), Add::Gate(until)];
    for (device, resource) in ends {
        let addresses = Prefix::host(resource).range();
        let services = [
            (Protocol::Tcp, PortRange::single(443)),
            (Protocol::Udp, PortRange { first: 1, last: 1_000 }),
            (Protocol::Echo, PortRange::single(0)),
        ];
        let cells = services.map(|(protocol, ports)| Add::Cell(Cell { addresses, protocol, ports }, region));
        rules.extend(cells);
        rules.push(Add::AllowedIp(key(), Prefix::host(device)));
        rules.push(Add::Source(device, Source { session: SessionId(1), epoch: SessionEpoch(0), until }));
        rules.push(Add::Pair(Pair { source: device, region }, PairEnd::WithSource));
    }
    rules
}

fn key() -> PublicKey {
    PrivateKey::from_bytes([1; 32]).public_key()
}
