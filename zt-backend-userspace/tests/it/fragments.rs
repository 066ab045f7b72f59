//! Packets in pieces, by name; [`super::reference`] has all others.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use zt_backend_userspace::clock::ManualClock;
use zt_backend_userspace::filter::{Direction, DropReason, Filter, Verdict};
use zt_backend_userspace::packet::ParseError;
use zt_core::desired::{Pair, PairEnd, Source};
use zt_core::id::{SessionEpoch, SessionId};
use zt_core::plan::Add;
use zt_core::testing::bytes::{
    echo_request, fragment, fragments, udp, unreachable, with_extension, with_long_extension, with_options,
};
use zt_core::time::{Anchor, BootInstant, Timestamp};

use crate::lab::{DNS, DNS6, PING, SERVER, SERVER6, address, socket};

const DEVICES: [&str; 4] = ["10.99.0.2", "10.99.0.3", "fd99::2", "fd99::3"];

/// A filter through which two devices talk with [`DNS`], [`DNS6`] and [`PING`].
fn filter() -> (Filter, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let filter = Filter::new(clock.clone());
    let until = Timestamp::from_millis(3_600_000);
    let cell = |cell: &crate::lab::Cell4| Add::Cell(cell.cell(), zt_core::id::RegionId(cell.region));
    let mut adds: Vec<Add> = [DNS, DNS6, PING].iter().map(cell).collect();
    adds.push(Add::Gate(until));
    for device in DEVICES.map(address) {
        adds.push(Add::Source(device, Source { session: SessionId(1), epoch: SessionEpoch(0), until }));
        for region in [DNS.region, DNS6.region, PING.region].map(zt_core::id::RegionId) {
            adds.push(Add::Pair(Pair { source: device, region }, PairEnd::WithSource));
        }
    }
    filter
        .add(
            &adds.iter().collect::<Vec<_>>(),
            Anchor { at: Timestamp::default(), boot: BootInstant::default() },
        )
        .unwrap();
    (filter, clock)
}

/// The verdict, and how many packets were handed on.
fn send(filter: &Filter, bytes: &[u8]) -> (Verdict, usize) {
    let mut handed_on = 0;
    let verdict = filter.pass(Direction::FromDevice, bytes, |_| {
        handed_on += 1;
        true
    });
    (verdict, handed_on)
}

fn packet(device: usize, length: usize) -> Vec<u8> {
    let server = if DEVICES[device].contains(':') { SERVER6 } else { SERVER };
    let (from, to) =
        (SocketAddr::new(address(DEVICES[device]), 40_000), SocketAddr::new(address(server), 5_000));
    udp(from, to, &vec![7; length])
}

const HELD: (Verdict, usize) = (Verdict::Hold, 0);
const SPOILT: (Verdict, usize) = (Verdict::Drop(DropReason::Fragments), 0);

const fn unparsed(error: ParseError) -> (Verdict, usize) {
    (Verdict::Drop(DropReason::Unparsed(error)), 0)
}

/// RFC 8200 section 4.5. If it passed, and the second fragment of a packet with a short header took the place of the
/// second one of a packet with a long one, that got lost, there would be ports that nobody judged.
#[test]
fn inv_g5_a_first_fragment_without_all_headers_is_dropped() {
    for headers in 0..3_usize {
        let (filter, _) = filter();
        let packet = (0..headers).fold(packet(2, 64), |packet, _| with_long_extension(&packet, 60, 1));
        for first in [8, 16, 24, 32, 40, 48] {
            let told = first >= headers * 16 + 8;
            let verdict = send(&filter, &fragment(&packet, 0..first, true, first.try_into().unwrap()));
            assert_eq!(verdict == HELD, told, "{headers} headers, {first} bytes: {verdict:?}");
            assert!(told || verdict == unparsed(ParseError::Malformed), "{verdict:?}");
        }
    }
    let (filter, _) = filter();
    let routed = with_extension(&packet(2, 64), 43);
    assert_eq!(send(&filter, &fragment(&routed, 0..40, true, 1)), unparsed(ParseError::SourceRoute));
}

/// What an error quotes is judged, and is behind the headers that a first fragment must hold.
#[test]
fn inv_g5_errors_in_pieces_are_dropped() {
    let (filter, _) = filter();
    for (near, far) in [(DEVICES[0], SERVER), (DEVICES[2], SERVER6)] {
        let (near, far): (IpAddr, IpAddr) = (address(near), address(far));
        let opens = udp(SocketAddr::new(near, 40_000), SocketAddr::new(far, 5_000), b"opens");
        assert_eq!(send(&filter, &opens), (Verdict::Accept, 1));
        let answer = udp(SocketAddr::new(far, 5_000), SocketAddr::new(near, 40_000), &[7; 64]);
        let error = unreachable(near, far, &answer);
        assert_eq!(send(&filter, &error), (Verdict::Accept, 1));
        let pieces = fragments(&error, 80, 1);
        assert_eq!(send(&filter, &pieces[0]), unparsed(ParseError::Unsupported));
        assert_eq!(send(&filter, &pieces[1]), HELD);
    }
}

/// RFC 8200 section 4.5: it is processed independently.
#[test]
fn a_fragment_that_is_all_of_its_packet_spoils_no_other() {
    let (filter, _) = filter();
    let pieces = fragments(&packet(2, 64), 40, 1);
    assert_eq!(send(&filter, &pieces[0]), HELD);
    assert_eq!(send(&filter, &fragment(&packet(2, 8), 0..16, false, 1)), (Verdict::Accept, 1));
    assert_eq!(send(&filter, &pieces[1]), (Verdict::Accept, 2));
}

#[test]
fn a_source_route_in_any_fragment_drops_that_fragment_alone() {
    let (filter, _) = filter();
    let pieces = fragments(&packet(0, 64), 40, 1);
    let route = [131, 7, 4, 10, 0, 0, 1];
    for piece in &pieces {
        assert_eq!(send(&filter, &with_options(piece, &route)), unparsed(ParseError::SourceRoute));
    }
    assert_eq!(send(&filter, &pieces[0]), HELD);
    assert_eq!(send(&filter, &pieces[1]), (Verdict::Accept, 2));
}

#[test]
fn the_longest_packet_passes_and_a_longer_one_does_not() {
    let (filter, _) = filter();
    for (device, longest) in [(0, 65_507), (2, 65_527)] {
        for (length, passes) in [(longest, true), (longest + 1, false)] {
            // One byte more is more than the length of the packet can say, but not that of a piece.
            let whole = packet(device, longest);
            let payload = whole.len() - if device == 0 { 20 } else { 40 };
            let whole = [&whole[..], &vec![0; length - longest]].concat();
            let payload = payload + length - longest;
            let id = length.try_into().unwrap();
            assert_eq!(send(&filter, &fragment(&whole, 0..32_768, true, id)), HELD);
            let (verdict, handed_on) = send(&filter, &fragment(&whole, 32_768..payload, false, id));
            assert_eq!((verdict == Verdict::Accept, handed_on == 2), (passes, passes), "{verdict:?}");
        }
    }
}

#[test]
fn inv_r2_a_device_that_leaves_packets_in_pieces_pushes_out_its_own_only() {
    let (filter, _) = filter();
    let of = |device: usize, id: u32| fragments(&packet(device, 64), 40, id);
    for device in [0, 1] {
        assert_eq!(send(&filter, &of(device, 0)[0]), HELD);
    }
    for id in 1..=8 {
        assert_eq!(send(&filter, &of(0, id)[0]), HELD);
    }
    assert_eq!(send(&filter, &of(1, 0)[1]), (Verdict::Accept, 2));
    for id in 1..=8 {
        assert_eq!(send(&filter, &of(0, id)[1]), (Verdict::Accept, 2), "{id}");
    }
    assert_eq!(send(&filter, &of(0, 0)[1]), HELD, "its other piece is gone");
}

#[test]
fn inv_r2_a_packet_has_64_fragments_at_most() {
    let (filter, _) = filter();
    for (count, last) in [(64, (Verdict::Accept, 64)), (65, SPOILT)] {
        let mut pieces = fragments(&packet(0, count * 8 - 8), 8, 1);
        assert_eq!(pieces.len(), count);
        let end = pieces.pop().unwrap();
        for piece in pieces {
            assert_eq!(send(&filter, &piece), HELD);
        }
        assert_eq!(send(&filter, &end), last);
    }
}

#[test]
fn fragments_wait_for_ten_seconds() {
    for (wait, last) in [(9_999, (Verdict::Accept, 2)), (10_000, HELD)] {
        let (filter, clock) = filter();
        let pieces = fragments(&packet(0, 64), 40, 1);
        assert_eq!(send(&filter, &pieces[1]), HELD);
        clock.advance(Duration::from_millis(wait));
        assert_eq!(send(&filter, &pieces[0]), last);
    }
}

#[test]
fn echo_in_pieces_passes() {
    let (filter, _) = filter();
    let request = echo_request(socket("10.99.0.2:0").ip(), address(SERVER), 7, &[7; 3_000]);
    let mut pieces = fragments(&request, 1_400, 1);
    pieces.reverse();
    let verdicts: Vec<_> = pieces.iter().map(|piece| send(&filter, piece)).collect();
    assert_eq!(verdicts, [HELD, HELD, (Verdict::Accept, 3)]);
}

/// A new session of the same device completed packets of the one before: that one's data went out under the new one.
#[test]
fn inv_s1_the_next_session_of_a_device_does_not_complete_packets_of_the_one_before() {
    let (filter, _) = filter();
    let pieces = fragments(&packet(0, 64), 40, 1);
    assert_eq!(send(&filter, &pieces[0]), HELD);
    let until = Timestamp::from_millis(3_600_000);
    let next = Source { session: SessionId(2), epoch: SessionEpoch(0), until };
    let anchor = Anchor { at: Timestamp::default(), boot: BootInstant::default() };
    filter.add(&[&Add::Source(address(DEVICES[0]), next)], anchor).unwrap();
    assert_eq!(send(&filter, &pieces[1]), HELD, "its other piece is another session's");
    assert_eq!(send(&filter, &pieces[0]), (Verdict::Accept, 2));
}
