//! From changes to the requests that make them.

use std::collections::BTreeSet;
use std::mem;

use zt_core::key::PublicKey;
use zt_core::net::Prefix;

use super::change::{Change, without};
use super::hex;
use super::interface::Interface;

/// The most bytes of a request: some 170 peers, which wireguard-go adds within a tenth of a second. So the deadline of
/// a request is about whether the other side is well, not about how much it is asked to do.
///
/// Linux takes so much into a new connection whole or not at all. Other sides carry out what they have of a request
/// when the connection ends, a torn line at its end included, in which a `/32` may have become a `/3`.
pub const MAX_REQUEST: usize = 32 * 1024;

/// The most bytes that a peer's lines have before its allowed IPs.
const PEER_ROOM: usize = 512;

/// The requests that make `changes` of `present`, to be sent in this order; what has nothing to change has no part in
/// them.
///
/// Whatever takes away comes first, in requests of its own. A peer stands once in a request, and only what adds one may
/// bring it to life: all else is for peers that are there (`update_only`). After any number of the requests, no peer
/// has a prefix that it is to have neither before nor after.
#[must_use]
pub fn requests(present: &Interface, changes: &[Change]) -> Vec<String> {
    let mut requests = Requests::default();
    for change in changes {
        let held = present.peers.get(change.key()).map(|peer| &peer.allowed_ips);
        match (change, held) {
            (Change::Remove(key), Some(_)) => {
                requests.peer(key, &["update_only=true".into(), "remove=true".into()], &BTreeSet::new());
            }
            (Change::Take(key, less), Some(held)) if !held.is_disjoint(less) => {
                let settings = ["update_only=true".into(), "replace_allowed_ips=true".into()];
                requests.peer(key, &settings, &without(held, less));
            }
            (Change::Remove(_) | Change::Take(..) | Change::Add(..) | Change::Allow(..), _) => {}
        }
    }
    requests.close();
    for change in changes {
        let held = present.peers.get(change.key()).map(|peer| &peer.allowed_ips);
        match (change, held) {
            (Change::Add(key, peer), _) => {
                let mut settings = vec!["replace_allowed_ips=true".into()];
                settings.extend(peer.endpoint.map(|endpoint| format!("endpoint={endpoint}")));
                settings
                    .extend(peer.keepalive.map(|seconds| format!("persistent_keepalive_interval={seconds}")));
                requests.peer(key, &settings, &peer.allowed_ips);
            }
            (Change::Allow(key, more), Some(held)) if !more.is_subset(held) => {
                requests.peer(key, &["update_only=true".into()], &without(more, held));
            }
            (Change::Remove(_) | Change::Take(..) | Change::Allow(..), _) => {}
        }
    }
    requests.close();
    requests.done
}

/// Requests as they are written.
#[derive(Default)]
struct Requests {
    done: Vec<String>,
    /// The one that is being written, without the empty line at its end; empty if none is.
    open: String,
}

impl Requests {
    /// Writes a peer, in more than one request if need be.
    fn peer(&mut self, key: &PublicKey, settings: &[String], allowed_ips: &BTreeSet<Prefix>) {
        let public_key = format!("public_key={}", hex::encode(key.as_bytes()));
        self.make_room(PEER_ROOM);
        self.line(&public_key);
        settings.iter().for_each(|setting| self.line(setting));
        for prefix in allowed_ips {
            let line = format!("allowed_ip={prefix}");
            if self.make_room(line.len().saturating_add(2)) {
                self.line(&public_key);
                self.line("update_only=true");
            }
            self.line(&line);
        }
    }

    /// Begins another request if this one has no room for so many bytes; whether it did.
    fn make_room(&mut self, bytes: usize) -> bool {
        let is_full = self.open.len().saturating_add(bytes) > MAX_REQUEST;
        if is_full {
            self.close();
        }
        is_full
    }

    fn line(&mut self, line: &str) {
        if self.open.is_empty() {
            self.open.push_str("set=1\n");
        }
        self.open.push_str(line);
        self.open.push('\n');
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.open.push('\n');
            self.done.push(mem::take(&mut self.open));
        }
    }
}
