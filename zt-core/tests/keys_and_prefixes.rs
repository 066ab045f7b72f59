//! Keys and prefixes: one canonical form each, everything else refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unreachable,
    clippy::arithmetic_side_effects,
    reason = "a test that fails says so by panicking"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use zt_core::key::{PrivateKey, PublicKey, PublicKeyError};
use zt_core::net::{Prefix, PrefixError, Service};

/// The little-endian bytes of 2^255 - 19 plus `offset`, which must not carry out of the lowest byte.
fn p_plus(offset: i8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed_u8.checked_add_signed(offset).unwrap();
    bytes[31] = 0x7f;
    bytes
}

fn hex(text: &str) -> [u8; 32] {
    let bytes: Vec<u8> =
        (0..32).map(|place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

/// K2: the points of low order in canonical form (RFC 7748; the list of the curve's small subgroup).
#[test]
fn inv_k2_low_order_keys_are_refused() {
    let mut one = [0; 32];
    one[0] = 1;
    let points = [
        one,
        hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        p_plus(-1),
    ];
    for point in points {
        assert_eq!(PublicKey::from_bytes(point), Err(PublicKeyError::LowOrder), "{point:02x?}");
    }
    assert_eq!(PublicKey::from_bytes([0; 32]), Err(PublicKeyError::Zero));
}

/// K2: every value that is another name for a smaller one.
#[test]
fn inv_k2_non_canonical_keys_are_refused() {
    for offset in 0..=18 {
        assert_eq!(PublicKey::from_bytes(p_plus(offset)), Err(PublicKeyError::NonCanonical), "p + {offset}");
    }
    let mut high = *PrivateKey::from_bytes([7; 32]).public_key().as_bytes();
    high[31] |= 0x80;
    assert_eq!(PublicKey::from_bytes(high), Err(PublicKeyError::NonCanonical));
    assert!(PublicKey::from_bytes(p_plus(-2)).is_ok());
}

/// B1: one text for a key and no other.
#[test]
fn b1_other_texts_of_a_key_are_refused() {
    let key = PrivateKey::from_bytes([7; 32]).public_key();
    let text = key.to_string();
    assert_eq!(text.parse::<PublicKey>().unwrap(), key);
    let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let trailing_bits = {
        let digit = text.as_bytes()[42];
        format!("{}{}=", &text[..42], char::from(digit + 1))
    };
    let texts = [
        format!(" {text}"),
        format!("{text}\n"),
        text.trim_end_matches('=').to_owned(),
        text.replace('+', "-").replace('/', "_") + "-",
        hex,
        trailing_bits,
        String::new(),
        "=".repeat(44),
        "A".repeat(10_000),
    ];
    for text in texts {
        assert!(matches!(text.parse::<PublicKey>(), Err(PublicKeyError::Encoding(_))), "{text:?}");
    }
}

/// K3: a private key shows nothing of itself.
#[test]
fn inv_k3_private_key_is_not_printed() {
    assert_eq!(format!("{:?}", PrivateKey::from_bytes([0x5a; 32])), "PrivateKey(..)");
}

/// B8, B5: notations that other parsers read differently, and host bits.
#[test]
fn b8_loose_prefixes_are_refused() {
    let texts = [
        "010.0.0.1",
        "10.1",
        "10.0.0.0/08",
        "10.0.0.0/+8",
        "10.0.0.0/ 8",
        "10.0.0.0/",
        "/8",
        "10.0.0.0/33",
        "::/129",
        "fe80::1%eth0",
        "10.0.0.0/8/8",
        "0x0a.0.0.1",
        "10.0.0.0/-1",
        "",
        "10.0.0.256",
        "[::1]",
        "10.0.0.0/255",
        "10.0.0.0/256",
    ];
    for text in texts {
        assert!(text.parse::<Prefix>().is_err(), "{text}");
    }
    assert!(matches!("::ffff:10.0.0.1".parse::<Prefix>(), Err(PrefixError::Mapped(_))));
    assert!(matches!("::ffff:0:0/96".parse::<Prefix>(), Err(PrefixError::Mapped(_))));
    let error = "10.0.0.1/24".parse::<Prefix>().unwrap_err();
    assert_eq!(error.to_string(), "`10.0.0.1/24` has host bits set; the prefix would be `10.0.0.0/24`");
    assert_eq!("10.0.0.0".parse::<Prefix>().unwrap().to_string(), "10.0.0.0/32");
    assert_eq!("0.0.0.0/0".parse::<Prefix>().unwrap().to_string(), "0.0.0.0/0");
}

#[test]
fn loose_services_are_refused() {
    for text in
        ["tcp/0", "tcp/65536", "tcp/80-79", "tcp", "sctp/1", "TCP/80", "tcp/080", "tcp/1-", "echo/1", "icmp"]
    {
        assert!(text.parse::<Service>().is_err(), "{text}");
    }
    for text in ["tcp/1-65535", "udp/53", "echo"] {
        assert_eq!(text.parse::<Service>().unwrap().to_string(), text);
    }
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
    ]
}

proptest! {
    /// A prefix contains exactly the addresses that share its leading bits, and reads back as it was written.
    #[test]
    fn prefix_equals_shared_bits(one in addresses(), two in addresses(), length in 0_u8..=128, flip in 0_u32..128) {
        let (bits, one_bits) = match one {
            IpAddr::V4(v4) => (32, u128::from(v4.to_bits()) << 96),
            IpAddr::V6(v6) => (128, v6.to_bits()),
        };
        let length = length % (bits + 1);
        let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        let build = |number: u128| if bits == 32 {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(number >> 96).unwrap()))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(number))
        };
        let Ok(prefix) = Prefix::new(build(one_bits & mask), length) else {
            prop_assume!(false);
            unreachable!()
        };
        prop_assert_eq!(prefix.to_string().parse::<Prefix>().unwrap(), prefix);
        let near = build(one_bits ^ 1_u128 << (127 - flip % u32::from(bits)));
        for other in [one, two, near] {
            let other_bits = match other {
                IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
                IpAddr::V6(v6) => v6.to_bits(),
            };
            let shared = one.is_ipv4() == other.is_ipv4() && (one_bits ^ other_bits) & mask == 0;
            prop_assert_eq!(prefix.contains(other), shared, "{} {}", prefix, other);
        }
    }
}

/// B20: an error that quotes hostile text neither breaks lines nor turns the direction of a terminal.
#[test]
fn b20_errors_are_printable() {
    use zt_core::decide::PolicyError;
    let error =
        PolicyError { place: "a\u{1b}[2J.cedar:1".into(), problem: "`\u{202e}x`\nsecond\u{7}".into() };
    assert_eq!(error.to_string(), "a\\u{1b}[2J.cedar:1: `\\u{202e}x`\nsecond\\u{7}");
}
