//! WireGuard in another process: a naive one behind a real socket, and real ones.

mod answers;
mod backend;
mod batches;
mod codec;
mod generated;
mod gotatun;
mod malformed;
mod model;
mod scale;
mod server;
mod trouble;
mod wireguard_go;

use std::collections::BTreeSet;

use zt_backend_userspace::uapi::{Change, NewPeer, PeerWriter};
use zt_core::key::PublicKey;
use zt_core::net::Prefix;

use self::server::Server;
use crate::lab::key;

/// The private key of every interface here.
const OWN: u8 = 200;

fn public(seed: u8) -> PublicKey {
    key(seed).public_key()
}

fn prefixes(texts: &[&str]) -> BTreeSet<Prefix> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn add(seed: u8, allowed_ips: &[&str]) -> Change {
    Change::Add(public(seed), NewPeer { allowed_ips: prefixes(allowed_ips), ..NewPeer::default() })
}

fn allow(seed: u8, allowed_ips: &[&str]) -> Change {
    Change::Allow(public(seed), prefixes(allowed_ips))
}

fn take(seed: u8, allowed_ips: &[&str]) -> Change {
    Change::Take(public(seed), prefixes(allowed_ips))
}

/// A server that does as it is told, and a writer for it.
fn lab() -> (Server, PeerWriter) {
    let server = Server::start();
    let writer = PeerWriter::new(server.socket());
    (server, writer)
}
