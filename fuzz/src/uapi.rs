//! Replies of a WireGuard process on its UAPI socket.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use zt_backend_userspace::uapi::{
    Change, Interface, MAX_REPLY, MAX_REQUEST, NewPeer, PeerStatus, ReplyError, decode,
    decode_acknowledgement, requests,
};
use zt_core::key::PublicKey;

/// Takes `bytes` for a reply.
///
/// What was accepted ends where it says that it ends, is the same once it was written again, and leads to requests that
/// add just that and remove all of it. An error names the line that is to blame, and neither shows a secret.
pub fn body(bytes: &[u8]) {
    let outcome = decode(bytes);
    match &outcome {
        Ok(interface) => {
            check_end(bytes, interface);
            let written = written(interface);
            assert_eq!(decode(written.as_bytes()).as_ref(), Ok(interface), "{written}");
            check_additions(interface);
            check_removals(interface);
        }
        Err(error) => check_error(bytes, error),
    }
    let shown = outcome.as_ref().map_or_else(|error| format!("{error} {error:?}"), |it| format!("{it:?}"));
    assert!(!shown.contains(char::is_control), "{shown:?}");
    check_secrets(bytes, &shown);
    if decode_acknowledgement(bytes).is_ok() {
        assert_eq!(outcome, Ok(Interface::default()), "an acknowledgement says something");
    }
}

/// The first empty line ends a reply: what follows changes nothing, and it is torn without.
fn check_end(bytes: &[u8], interface: &Interface) {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap_or(bytes.len());
    let (reply, _) = bytes.split_at_checked(end.saturating_add(2)).unwrap_or((bytes, &[]));
    assert_eq!(decode(reply).as_ref(), Ok(interface));
    let torn = reply.strip_suffix(b"\n").unwrap_or(reply);
    assert_eq!(decode(torn), Err(ReplyError::Torn { line: lines(torn) }));
}

/// The line that an error names is the first that makes a difference.
fn check_error(bytes: &[u8], error: &ReplyError) {
    if let ReplyError::Syntax { line }
    | ReplyError::Value { line, .. }
    | ReplyError::Repeated { line, .. }
    | ReplyError::Misplaced { line, .. }
    | ReplyError::NoErrno { line }
    | ReplyError::LongLine { line } = error
    {
        let before = line.saturating_sub(1);
        let upto = |count| bytes.split_inclusive(|byte| *byte == b'\n').take(count).flatten().copied();
        let good: Vec<u8> = upto(before).collect();
        assert_eq!(decode(&good), Err(ReplyError::Torn { line: before }), "{error}");
        let bad: Vec<u8> = upto(*line).collect();
        assert_eq!(decode(&bad).as_ref(), Err(error));
    } else if let ReplyError::Torn { line } = error {
        assert_eq!(*line, lines(bytes), "{error}");
    } else if let ReplyError::Errno(errno) = error {
        assert_ne!(errno.0, 0, "success is no error");
    } else {
        assert!(bytes.len() > MAX_REPLY, "{error}");
    }
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// No value of a secret key is shown, unless it stands elsewhere too.
fn check_secrets(bytes: &[u8], shown: &str) {
    let secret = |line: &&[u8]| line.starts_with(b"private_key=") || line.starts_with(b"preshared_key=");
    let (secret, public): (Vec<&[u8]>, Vec<&[u8]>) = bytes.split(|byte| *byte == b'\n').partition(secret);
    let public = String::from_utf8_lossy(&public.join(&b'\n')).into_owned();
    for line in secret {
        let value = line.splitn(2, |byte| *byte == b'=').last().unwrap_or_default();
        // shorter ones may be part of a number or a key by chance
        let value = str::from_utf8(value).ok().filter(|value| value.len() >= 40);
        if let Some(value) = value {
            assert!(!shown.contains(value) || public.contains(value), "a secret is shown");
        }
    }
}

/// The reply that says the same, as far as it is read.
fn written(interface: &Interface) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "{key}={value}");
    };
    let number = |number: Option<u64>| number.unwrap_or_default().to_string();
    if let Some(key) = &interface.public_key {
        line("own_public_key", &hex(key));
    }
    line("listen_port", &number(interface.listen_port.map(|port| port.get().into())));
    line("fwmark", &number(interface.fwmark.map(|mark| mark.get().into())));
    for (key, peer) in &interface.peers {
        let PeerStatus {
            allowed_ips,
            endpoint,
            keepalive,
            last_handshake,
            received,
            sent,
            has_preshared_key,
        } = peer;
        line("public_key", &hex(key));
        line("preshared_key", &if *has_preshared_key { "1" } else { "0" }.repeat(64));
        if let Some(endpoint) = endpoint {
            line("endpoint", &endpoint.to_string());
        }
        line("persistent_keepalive_interval", &number(keepalive.map(|seconds| seconds.get().into())));
        let handshake = last_handshake.unwrap_or_default();
        line("last_handshake_time_nsec", &handshake.subsec_nanos().to_string());
        line("last_handshake_time_sec", &handshake.as_secs().to_string());
        line("rx_bytes", &received.to_string());
        line("tx_bytes", &sent.to_string());
        allowed_ips.iter().for_each(|prefix| line("allowed_ip", &prefix.to_string()));
    }
    text + "errno=0\n\n"
}

fn hex(key: &PublicKey) -> String {
    key.as_bytes().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A peer in a request: its settings, and its allowed IPs.
type Section<'a> = (&'a str, BTreeSet<&'a str>, Vec<&'a str>);

/// The peers of requests, in their order.
fn sections(requests: &[String]) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for request in requests {
        assert!(request.len() <= MAX_REQUEST, "{} bytes", request.len());
        let lines = request.strip_prefix("set=1\npublic_key=").and_then(|rest| rest.strip_suffix("\n\n"));
        assert!(lines.is_some_and(|lines| !lines.contains("\n\n")), "{request}");
        for line in request.lines() {
            match (line.split_once('='), sections.last_mut()) {
                (Some(("set", _)) | None, _) => {}
                (Some(("public_key", key)), _) => sections.push((key, BTreeSet::new(), Vec::new())),
                (Some(("allowed_ip", prefix)), Some((_, _, prefixes))) => prefixes.push(prefix),
                (Some(_), Some((_, settings, _))) => assert!(settings.insert(line), "{request}"),
                (Some(_), None) => assert!(line.is_empty(), "{line} is of no peer"),
            }
        }
    }
    sections
}

/// The requests that add all peers to nothing give each what it has, and create it once.
fn check_additions(interface: &Interface) {
    let add = |(key, peer): (&PublicKey, &PeerStatus)| {
        let PeerStatus { allowed_ips, endpoint, keepalive, .. } = peer.clone();
        Change::Add(*key, NewPeer { allowed_ips, endpoint, keepalive })
    };
    let changes: Vec<Change> = interface.peers.iter().map(add).collect();
    let requests = requests(&Interface::default(), &changes);
    let mut given: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut created = BTreeSet::new();
    for (key, settings, prefixes) in sections(&requests) {
        if !settings.contains("update_only=true") {
            assert!(settings.contains("replace_allowed_ips=true") && created.insert(key), "{key}");
        }
        assert!(created.contains(key), "{key} is changed before it is there");
        given.entry(key).or_default().extend(prefixes);
    }
    let wanted: Vec<(String, Vec<String>)> = interface
        .peers
        .iter()
        .map(|(key, peer)| (hex(key), peer.allowed_ips.iter().map(ToString::to_string).collect()))
        .collect();
    assert_eq!(given.len(), wanted.len());
    for (key, prefixes) in &wanted {
        assert!(given.get(key.as_str()).is_some_and(|given| given == prefixes), "{key} has {prefixes:?}");
    }
}

/// The requests that remove all peers create none.
fn check_removals(interface: &Interface) {
    let changes: Vec<Change> = interface.peers.keys().copied().map(Change::Remove).collect();
    let requests = requests(interface, &changes);
    let sections = sections(&requests);
    assert_eq!(sections.len(), interface.peers.len());
    for ((key, settings, prefixes), peer) in sections.iter().zip(interface.peers.keys()) {
        assert_eq!(*key, hex(peer));
        assert!(settings.contains("remove=true") && settings.contains("update_only=true"), "{key}");
        assert!(settings.len() == 2 && prefixes.is_empty(), "{key}");
    }
}
