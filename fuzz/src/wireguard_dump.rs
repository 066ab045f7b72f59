//! What the kernel says of a WireGuard device.

use std::collections::BTreeMap;

use zt_backend_kernel::{DumpError, InterfaceStatus, decode};

/// The flag of messages of a list that changed while it was made.
const INTERRUPTED: u8 = 0x10;

/// Takes `bytes` for a list of a device.
///
/// What was accepted has its end, and is not believed without it, with the flag of an interrupted list on any of its
/// messages, or with more behind it. What is shown has no control characters.
pub fn body(bytes: &[u8]) {
    let outcome = decode(bytes);
    let shown = outcome.as_ref().map_or_else(|error| format!("{error} {error:?}"), |it| format!("{it:?}"));
    assert!(!shown.contains(char::is_control), "{shown:?}");
    let Ok(status) = outcome else { return };
    check_status(&status);
    let places = places(bytes);
    assert!(!places.is_empty(), "a list of nothing");
    for place in &places {
        let mut flagged = bytes.to_vec();
        if let Some(flags) = flagged.get_mut(place.saturating_add(flags_low())) {
            *flags |= INTERRUPTED;
        }
        assert!(matches!(decode(&flagged), Err(DumpError::Interrupted)));
        let (before, _) = bytes.split_at_checked(*place).unwrap_or_default();
        assert!(decode(before).is_err(), "cut short at {place}");
    }
    assert!(decode(&[bytes, bytes].concat()).is_err());
}

fn check_status(status: &InterfaceStatus) {
    let known: BTreeMap<_, _> = status.peers.iter().map(|(key, peer)| (*key.as_bytes(), peer)).collect();
    for stray in &status.strays {
        // a stray with a usable key is listed for what it has beside that
        assert!(known.contains_key(stray) || zt_core::key::PublicKey::from_bytes(*stray).is_err());
    }
    for peer in status.peers.values() {
        assert!(peer.last_handshake.is_none_or(|at| !at.is_zero()));
    }
}

/// Where the messages begin.
fn places(bytes: &[u8]) -> Vec<usize> {
    let (mut places, mut at) = (Vec::new(), 0_usize);
    while let Some(length) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        places.push(at);
        let length = usize::try_from(u32::from_ne_bytes(*length)).unwrap_or(usize::MAX);
        at = at.saturating_add(length.checked_next_multiple_of(4).unwrap_or(usize::MAX));
    }
    places
}

/// Where the lower byte of a message's flags is.
const fn flags_low() -> usize {
    if cfg!(target_endian = "little") { 6 } else { 7 }
}
