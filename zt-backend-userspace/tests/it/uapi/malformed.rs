//! Replies that are refused, and what for.

use zt_backend_userspace::uapi::{MAX_LINE, MAX_REPLY, ReplyError, decode};

use super::codec::{END, peer, public_hex};

pub(super) fn refused(reply: &str) -> ReplyError {
    decode(reply.as_bytes()).expect_err(reply)
}

#[test]
fn values_that_a_key_cannot_have_are_named_with_their_line() {
    let cases = [
        ("endpoint", "192.0.2.1"),
        ("endpoint", "192.0.2.1:65536"),
        ("endpoint", "example.org:51820"),
        ("endpoint", "[192.0.2.1%eth0]:51820"),
        ("endpoint", "[fe80::1%]:51820"),
        ("persistent_keepalive_interval", "65536"),
        ("persistent_keepalive_interval", "off"),
        ("persistent_keepalive_interval", ""),
        ("allowed_ip", "10.99.0.2"),
        ("allowed_ip", "10.99.0.2/33"),
        ("allowed_ip", "10.99.0.2/24"),
        ("allowed_ip", "10.99.0.2/08"),
        ("allowed_ip", "::ffff:10.99.0.2/128"),
        ("rx_bytes", "18446744073709551616"),
        ("rx_bytes", "-1"),
        ("tx_bytes", "+1"),
        ("tx_bytes", "01"),
        ("last_handshake_time_sec", "1e9"),
        ("last_handshake_time_nsec", "1000000000"),
        ("protocol_version", "2"),
        ("errno", "-"),
        ("errno", "-0"),
        ("errno", "65536"),
        ("errno", "0x16"),
    ];
    for (key, value) in cases {
        let error = refused(&peer(&format!("{key}={value}\n")));
        assert_eq!(error, ReplyError::Value { line: 2, key, value: value.into() }, "{key}={value}");
    }
    for (key, value) in [("listen_port", "65536"), ("listen_port", "0x10"), ("fwmark", "4294967296")] {
        let error = refused(&format!("{key}={value}\n{END}"));
        assert_eq!(error, ReplyError::Value { line: 1, key, value: value.into() });
        assert_eq!(error.to_string(), format!("line 1: `{value}` is no {key}"));
    }
    let upper = public_hex(1).to_uppercase();
    for bad in ["", "00", &"0".repeat(64), &"f".repeat(64), &upper, &"g".repeat(64), &"é".repeat(32)] {
        let error = refused(&format!("public_key={bad}\n{END}"));
        assert!(matches!(error, ReplyError::Value { line: 1, key: "public_key", .. }), "{bad}: {error}");
    }
}

#[test]
fn what_would_garble_a_terminal_is_escaped_and_cut() {
    let error = refused(&peer(&format!("endpoint=\x1b[2J\r\u{202e}{}\n", "x".repeat(500)))).to_string();
    assert!(error.chars().all(|c| !c.is_control() && c.is_ascii()) && error.len() < 120, "{error}");
}

#[test]
fn what_contradicts_itself_is_refused() {
    let twice = |line: &str| refused(&peer(&format!("{line}\n{line}\n")));
    let key = |line: &str| line.split_once('=').unwrap().0.to_owned();
    for line in [
        "endpoint=192.0.2.1:1",
        "persistent_keepalive_interval=0",
        "allowed_ip=10.99.0.2/32",
        "rx_bytes=0",
        "tx_bytes=0",
        "last_handshake_time_sec=0",
        "last_handshake_time_nsec=0",
        "protocol_version=1",
    ] {
        assert_eq!(twice(line).to_string(), format!("line 3: {} is given a second time", key(line)));
    }
    let ports = refused(&format!("listen_port=1\nlisten_port=1\n{END}"));
    assert_eq!(ports, ReplyError::Repeated { line: 2, key: "listen_port" });
    let peers = refused(&format!("public_key={}\nrx_bytes=1\n{}", public_hex(1), peer("")));
    assert_eq!(peers, ReplyError::Repeated { line: 3, key: "public_key" });
    let other = format!("public_key={}\n", public_hex(2));
    let apart = refused(&peer(&format!("{other}public_key={}\n", public_hex(1))));
    assert_eq!(apart, ReplyError::Repeated { line: 3, key: "public_key" });
    // two peers with one prefix: the gateway must be able to tidy up
    let shared = format!("allowed_ip=10.0.0.0/8\n{other}allowed_ip=10.0.0.0/8\n");
    assert_eq!(decode(peer(&shared).as_bytes()).unwrap().peers.len(), 2);
}

#[test]
fn keys_stand_where_they_belong() {
    for line in ["endpoint=192.0.2.1:1", "allowed_ip=10.99.0.2/32", "rx_bytes=0"] {
        let error = refused(&format!("{line}\n{END}"));
        assert!(matches!(error, ReplyError::Misplaced { line: 1, .. }), "{error}");
    }
    for line in ["listen_port=1", "fwmark=1", &format!("private_key={}", "1".repeat(64))] {
        let error = refused(&peer(&format!("{line}\n")));
        assert!(matches!(error, ReplyError::Misplaced { line: 2, .. }), "{error}");
    }
    for line in
        ["errno=0", "listen_port=1", "rx_bytes=0", "future=1", &format!("public_key={}", public_hex(1))]
    {
        let error = refused(&format!("errno=0\n{line}\n\n"));
        assert!(matches!(error, ReplyError::Misplaced { line: 2, .. }), "{line}: {error}");
    }
}

#[test]
fn replies_that_are_not_whole_are_refused() {
    assert_eq!(refused(""), ReplyError::Torn { line: 0 });
    assert_eq!(refused("\n"), ReplyError::NoErrno { line: 1 });
    assert_eq!(refused("listen_port=1\n\n"), ReplyError::NoErrno { line: 2 });
    for torn in ["errno=0", "errno=0\n", "listen_port=1\nerrno=0\n", "errno=0\n\r\n"] {
        assert!(decode(torn.as_bytes()).is_err(), "{torn:?}");
    }
    for line in ["hello", "=1", "=", " ", "errno"] {
        assert_eq!(refused(&format!("{line}\n{END}")), ReplyError::Syntax { line: 1 });
    }
    assert_eq!(decode(b"fwmark=\xff\n\n"), Err(ReplyError::Syntax { line: 1 }));
    let long = |length: usize| decode(format!("k={}\n{END}", "x".repeat(length)).as_bytes());
    assert!(long(MAX_LINE - 2).is_ok());
    assert_eq!(long(MAX_LINE - 1), Err(ReplyError::LongLine { line: 1 }));
}

#[test]
fn replies_without_end_are_refused() {
    let line = format!("k={}\n", "x".repeat(MAX_LINE - 2));
    let endless = line.repeat(MAX_REPLY / line.len() + 1);
    let error = decode(endless.as_bytes()).unwrap_err();
    assert_eq!(error, ReplyError::TooLong);
    assert_eq!(error.to_string(), "the reply has more than 67108864 bytes");
    let lines = MAX_REPLY / line.len();
    assert_eq!(decode(&endless.as_bytes()[..MAX_REPLY]), Err(ReplyError::Torn { line: lines }));
}
