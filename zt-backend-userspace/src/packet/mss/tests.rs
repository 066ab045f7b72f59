use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use zt_core::testing::bytes::{ip, with_extension, with_options};

use super::*;

const MTU: u16 = 1_420;
const UDP: u8 = 17;
const ACK: u8 = 0x10;

const NEAR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 2));
const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 100, 5, 10));
const NEAR6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 2));
const FAR6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd10, 0, 0, 0, 0, 0, 0, 0x10));

/// A segment with these options, whose header is as long as they are, and some data.
fn segment(flags: u8, options: &[u8]) -> Vec<u8> {
    let words = u8::try_from(5 + options.len() / 4).unwrap();
    let mut segment =
        vec![0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, words << 4, flags, 0xff, 0xff, 0, 0, 0, 0];
    segment.extend(options);
    segment.extend(b"early data");
    segment
}

/// The segment in a packet, with a right checksum.
fn packet(v6: bool, mut segment: Vec<u8>) -> Vec<u8> {
    let (from, to) = if v6 { (NEAR6, FAR6) } else { (NEAR, FAR) };
    let sum = !sum(v6, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ip(from, to, TCP, &segment)
}

/// The sum of a segment and its pseudo header (RFC 9293 section 3.1); all ones if its checksum is right.
fn sum(v6: bool, segment: &[u8]) -> u16 {
    let ends = if v6 { [NEAR6, FAR6] } else { [NEAR, FAR] };
    let mut bytes = Vec::new();
    for end in ends {
        match end {
            IpAddr::V4(end) => bytes.extend(end.octets()),
            IpAddr::V6(end) => bytes.extend(end.octets()),
        }
    }
    bytes.extend([0, TCP]);
    bytes.extend(u16::try_from(segment.len()).unwrap().to_be_bytes());
    bytes.extend(segment);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    let words = bytes.chunks(2).map(|word| u64::from(word[0]) * 256 + u64::from(word[1]));
    // The sum of ones' complements is that modulo 65,535, with zero only for nothing but zeros.
    u16::try_from((words.sum::<u64>() - 1) % 65_535 + 1).unwrap()
}

fn clamped(packet: &[u8]) -> Vec<u8> {
    let mut clamped = packet.to_vec();
    clamp(&mut clamped, MTU);
    clamped
}

#[track_caller]
fn left_alone(packet: &[u8], why: &str) {
    assert!(clamped(packet) == packet, "{why}");
}

/// Options of 1 to 10 bytes, so that the one behind them begins at an even or odd place.
fn other_options() -> impl Strategy<Value = Vec<u8>> {
    let option = prop::sample::select(vec![
        vec![NO_OPERATION],
        vec![3, 3, 7],
        vec![4, 2],
        vec![8, 10, 0, 0, 0, 1, 0, 0, 0, 0],
        vec![254, 5, 2, 4, 255],
        vec![MAXIMUM_SEGMENT_SIZE, 3, 4],
    ]);
    prop::collection::vec(option, 0..4).prop_map(|options| options.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_048) })]

    #[test]
    fn only_the_size_and_the_checksum_change(
        v6 in any::<bool>(),
        flags in prop::sample::select(vec![SYN, SYN | ACK, SYN | 0xc0]),
        before in other_options(),
        size in any::<u16>(),
        after in other_options(),
        ip_options in 0..11_usize,
        mtu in 1_280..=u16::MAX,
        checksum in prop::option::of(any::<u16>()),
    ) {
        let value = before.len() + 2;
        let mut options = [&before[..], &[MAXIMUM_SEGMENT_SIZE, 4], &size.to_be_bytes(), &after].concat();
        options.resize(options.len().next_multiple_of(4), END_OF_OPTIONS);
        prop_assume!(options.len() <= 40);
        let plain = packet(v6, segment(SYN | flags, &options));
        let mut plain = if v6 { plain } else { with_options(&plain, &vec![NO_OPERATION; ip_options * 4]) };
        let start = if v6 { 40 } else { 20 + ip_options * 4 };
        if let Some(wrong) = checksum {
            plain[start + 16..start + 18].copy_from_slice(&wrong.to_be_bytes());
        }
        let mut clamped = plain.clone();
        clamp(&mut clamped, mtu);
        let most = mtu - if v6 { 60 } else { 40 };
        let value = start + 20 + value;
        prop_assert_eq!(&clamped[value..value + 2], &size.min(most).to_be_bytes());
        prop_assert_eq!(sum(v6, &clamped[start..]), sum(v6, &plain[start..]));
        if checksum.is_none() {
            prop_assert_eq!(sum(v6, &clamped[start..]), 0xffff);
        }
        prop_assert!(size > most || clamped == plain);
        for at in [value, value + 1, start + 16, start + 17] {
            clamped[at] = plain[at];
        }
        prop_assert_eq!(clamped, plain);
    }

    #[test]
    fn inv_r1_no_bytes_make_it_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..120),
        first in prop::sample::select(vec![0x45_u8, 0x46, 0x4f, 0x40, 0x44, 0x60]),
        offset in any::<u8>(),
        mtu in any::<u16>(),
    ) {
        let start = if first == 0x60 { 40 } else { usize::from(first & 15) * 4 };
        for (at, byte) in [(0, first), (6, TCP), (7, 0), (9, TCP), (start + 12, offset), (start + 13, SYN)] {
            if let Some(slot) = bytes.get_mut(at) {
                *slot = if at == 6 && first != 0x60 { 0 } else { byte };
            }
        }
        let plain = bytes.clone();
        clamp(&mut bytes, mtu);
        let changed: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != plain[*at]).collect();
        prop_assert!(changed.len() <= 4 && changed.iter().all(|at| *at >= start + 16), "{:?}", changed);
    }
}

const SIZE: [u8; 4] = [MAXIMUM_SEGMENT_SIZE, 4, 0xff, 0xff];

#[test]
fn what_opens_no_connection_is_left_alone() {
    for v6 in [false, true] {
        let opening = packet(v6, segment(SYN, &SIZE));
        assert!(clamped(&opening) != opening);
        left_alone(&packet(v6, segment(ACK, &SIZE)), "no SYN");
        left_alone(&packet(v6, segment(SYN, &[])), "no option");
        left_alone(&packet(v6, segment(SYN, &[MAXIMUM_SEGMENT_SIZE, 4, 0, 0])), "already low");
        let (from, to) = if v6 { (NEAR6, FAR6) } else { (NEAR, FAR) };
        left_alone(&ip(from, to, UDP, &segment(SYN, &SIZE)), "no TCP");
    }
    for place in [[0x20, 0], [0, 1], [0x1f, 0xff], [0x80, 0], [0xe0, 1]] {
        let mut fragment = packet(false, segment(SYN, &SIZE));
        fragment[6..8].copy_from_slice(&place);
        left_alone(&fragment, "a fragment, or with the reserved bit");
    }
    for extension in [0, 43, 44, 60] {
        left_alone(&with_extension(&packet(true, segment(SYN, &SIZE)), extension), "an extension header");
    }
}

#[test]
fn ip_options_do_not_count() {
    let plain = packet(false, segment(SYN, &SIZE));
    for words in 0..=10 {
        let packet = clamped(&with_options(&plain, &vec![NO_OPERATION; words * 4]));
        assert_eq!(packet[words * 4 + 42..][..2], 1_380_u16.to_be_bytes(), "{words} words of IP options");
    }
}

#[test]
fn headers_that_contradict_themselves_are_left_alone() {
    for words in [0, 1, 2, 3, 4, 15] {
        // With the segment's flags where a header of that length would have them.
        let mut packet = packet(false, segment(SYN, &SIZE));
        packet[0] = 0x40 | words;
        if let Some(flags) = packet.get_mut(usize::from(words) * 4 + 13) {
            *flags = SYN;
        }
        left_alone(&packet, &format!("an IP header of {words} words"));
    }
    for words in [0, 4, 9, 15] {
        let mut segment = segment(SYN, &SIZE);
        segment[12] = words << 4;
        left_alone(&packet(false, segment), &format!("a TCP header of {words} words"));
    }
    let mut cut = segment(SYN, &[NO_OPERATION, NO_OPERATION, MAXIMUM_SEGMENT_SIZE, 4]);
    cut.splice(24.., [0xff, 0xff]);
    left_alone(&packet(false, cut), "the value would be in the data");
    for length in [0, 1, 3, 5, 255] {
        let options = [NO_OPERATION, MAXIMUM_SEGMENT_SIZE, length, 0xff, 0xff, 0, 0, 0];
        left_alone(&packet(false, segment(SYN, &options)), &format!("an option of length {length}"));
    }
    for length in [0, 1] {
        let options = [[254, length, NO_OPERATION, NO_OPERATION], SIZE].concat();
        left_alone(&packet(false, segment(SYN, &options)), &format!("behind an option of length {length}"));
    }
    let ended = [[END_OF_OPTIONS; 4], SIZE].concat();
    left_alone(&packet(false, segment(SYN, &ended)), "behind the end of the options");
}
