//! Replies by the line.

use std::num::NonZeroU16;
use std::time::Duration;

use zt_backend_userspace::uapi::{Errno, ReplyError, decode, decode_acknowledgement};

use super::malformed::refused;
use super::model::hex;
use super::{prefixes, public};
use crate::lab::key;

pub(super) const END: &str = "errno=0\n\n";

pub(super) fn public_hex(seed: u8) -> String {
    hex(public(seed).as_bytes())
}

/// A reply of one peer with these lines more.
pub(super) fn peer(lines: &str) -> String {
    format!("public_key={}\n{lines}{END}", public_hex(1))
}

#[test]
fn a_whole_reply_is_read() {
    let own = hex(key(9).expose_bytes());
    let (one, two) = (public_hex(1), public_hex(2));
    let secret = "7".repeat(64);
    let none = "0".repeat(64);
    let reply = format!(
        "private_key={own}\nlisten_port=12912\nfwmark=51820\npublic_key={one}\npreshared_key={secret}\n\
         protocol_version=1\nendpoint=[abcd:23::33]:51820\nlast_handshake_time_sec=1587\n\
         last_handshake_time_nsec=5\ntx_bytes=38333\nrx_bytes=18446744073709551615\n\
         persistent_keepalive_interval=111\nallowed_ip=192.168.4.4/32\nallowed_ip=fd00::/64\n\
         public_key={two}\npreshared_key={none}\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0\n\
         persistent_keepalive_interval=0\n{END}what follows is of no interest"
    );
    let interface = decode(reply.as_bytes()).unwrap();
    assert_eq!(interface.public_key, Some(public(9)));
    assert_eq!(interface.listen_port.map(NonZeroU16::get), Some(12_912));
    assert_eq!(interface.fwmark.map(|mark| mark.get()), Some(51_820));
    let first = &interface.peers[&public(1)];
    assert_eq!(first.allowed_ips, prefixes(&["192.168.4.4", "fd00::/64"]));
    assert_eq!(first.endpoint, "[abcd:23::33]:51820".parse().ok());
    assert_eq!(first.keepalive.map(NonZeroU16::get), Some(111));
    assert_eq!(first.last_handshake, Some(Duration::new(1_587, 5)));
    assert_eq!((first.received, first.sent), (u64::MAX, 38_333));
    assert!(first.has_preshared_key);
    assert_eq!(interface.peers[&public(2)], Default::default());
}

#[test]
fn an_interface_without_anything_is_read() {
    let nothing = decode(END.as_bytes()).unwrap();
    assert_eq!(nothing, Default::default());
    let zeros = format!("private_key={}\nlisten_port=0\nfwmark=0\n{END}", "0".repeat(64));
    assert_eq!(decode(zeros.as_bytes()).unwrap(), nothing);
}

/// boringtun gives it instead of the private key.
#[test]
fn the_own_public_key_may_be_given() {
    let (own, own_private) = (public_hex(9), hex(key(9).expose_bytes()));
    let reply = format!("own_public_key={own}\nlisten_port=1\n{}", peer(""));
    assert_eq!(decode(reply.as_bytes()).unwrap().public_key, Some(public(9)));
    let none = "0".repeat(64);
    assert_eq!(
        refused(&format!("own_public_key={none}\n{END}")).to_string(),
        format!("line 1: `{none}` is no own_public_key")
    );
    let keys = [format!("own_public_key={own}\n"), format!("private_key={own_private}\n")];
    for (one, other) in [(0, 1), (1, 0), (0, 0), (1, 1)] {
        let error = refused(&format!("{}{}{END}", keys[one], keys[other]));
        assert!(matches!(error, ReplyError::Repeated { line: 2, .. }), "{error}");
    }
}

#[test]
fn keys_that_are_not_known_are_passed_over() {
    let reply = format!("jc=4\nfuture=\n{}", peer("daita_settings=a=b\ntx_padding_bytes=-7\n"));
    assert_eq!(decode(reply.as_bytes()), decode(peer("").as_bytes()));
}

#[test]
fn zones_of_link_local_endpoints_are_kept_if_they_are_numbers() {
    let endpoint = |text: &str| {
        let interface = decode(peer(&format!("endpoint={text}\n")).as_bytes()).unwrap();
        interface.peers[&public(1)].endpoint.unwrap()
    };
    assert_eq!(endpoint("[fe80::1%2]:51820"), "[fe80::1%2]:51820".parse().unwrap());
    assert_eq!(endpoint("[fe80::1%wlan0]:51820"), "[fe80::1]:51820".parse().unwrap());
}

#[test]
fn acknowledgements_say_nothing_but_the_errno() {
    assert_eq!(decode_acknowledgement(b"errno=0\n\n"), Ok(()));
    assert_eq!(decode_acknowledgement(b"future=1\nerrno=0\n\n"), Ok(()));
    assert_eq!(decode_acknowledgement(b"errno=-71\n\n"), Err(ReplyError::Errno(Errno(-71))));
    assert_eq!(Errno(-71).name(), Some("EPROTO"));
    let chatty = decode_acknowledgement(peer("").as_bytes());
    assert_eq!(chatty, Err(ReplyError::Misplaced { line: 1, key: "public_key" }));
    assert_eq!(decode_acknowledgement(b"errno=0\n"), Err(ReplyError::Torn { line: 1 }));
}

/// Of the text of an error or of what was read, nothing is a secret, whatever is wrong.
#[test]
fn secrets_are_shown_nowhere() {
    let secret = "5ec2e7ab".repeat(8);
    let shown = |reply: String| {
        let outcome = decode(reply.as_bytes());
        let text = match &outcome {
            Ok(interface) => format!("{interface:?} {interface:#?}"),
            Err(error) => format!("{error} {error:?} {error:#?}"),
        };
        assert!(!text.contains("5ec2e7"), "{text}");
        let bytes = format!("{:?}", &key(9).expose_bytes()[..4]);
        assert!(!text.contains(bytes.trim_matches(['[', ']'])), "{text}");
        outcome
    };
    let own = hex(key(9).expose_bytes());
    shown(format!("private_key={own}\n{}", peer(&format!("preshared_key={secret}\n")))).unwrap();
    for line in [format!("private_key={secret}5"), format!("private_key={secret}\nprivate_key={secret}")] {
        shown(format!("{line}\n{END}")).unwrap_err();
    }
    for line in [
        format!("preshared_key={}", secret.split_at(1).1),
        format!("preshared_key={secret}\npreshared_key={secret}"),
        format!("private_key={secret}"),
        format!("private_key:{secret}"),
        secret.clone(),
        format!("={secret}"),
    ] {
        shown(peer(&format!("{line}\n"))).unwrap_err();
    }
    shown(format!("private_key={secret}")).unwrap_err();
    shown(format!("private_key={}", secret.repeat(20))).unwrap_err();
}
