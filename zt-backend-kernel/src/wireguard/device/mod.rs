//! A device: what its peers are, and who may change them next.

mod change;
mod observe;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use zt_core::key::PublicKey;
use zt_linux::LinkName;

use super::batch::{Act, Part};
use super::dump::Names;
use super::fault::{Fault, Recovery};
use super::pace::{Pace, TARGET};
use super::peers::Peers;
use super::reader::Reader;
use super::worker::Worker;
use super::writer::Writer;

/// How many peers go into the first call that removes some, and that adds some.
const FIRST_CALL: usize = 16;

/// What a device is known by: while both are the same, it is the same device.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) index: u32,
    pub(super) name: LinkName,
    pub(super) public_key: PublicKey,
}

/// A device of the kernel's WireGuard.
///
/// There are two locks. `lane` is held for a whole addition, removal or reading, `state` for one message. A cut takes
/// `state` alone; since that lock is fair, it waits for the message that is under way and for cuts before it.
#[derive(Debug)]
pub(super) struct Device {
    known: Known,
    reader: Worker<Reader>,
    writer: Worker<Writer>,
    lane: Mutex<Paces>,
    state: Mutex<State>,
}

/// How fast peers are added and removed.
#[derive(Debug)]
struct Paces {
    additions: Pace,
    removals: Pace,
}

#[derive(Debug, Default)]
struct State {
    /// What the device has; none while that is being changed, and so after a change that failed or was cancelled.
    peers: Option<Peers>,
    /// The keys of all peers, and others that were peers.
    names: Arc<Names>,
    /// How many changes were begun.
    changes: u64,
    /// The peers that were cut, and by which change, while additions wait for their turn.
    cuts: BTreeMap<PublicKey, u64>,
    /// One copy for each addition that waits for its turn.
    waiting: Arc<()>,
}

/// An addition that waits for its turn: cuts that are made meanwhile hold.
struct Turn {
    since: u64,
    _waiting: Arc<()>,
}

impl Device {
    /// A device of which nothing is known but this. Nothing is sent yet.
    pub(super) fn new(known: Known, (reader, writer): (Worker<Reader>, Worker<Writer>)) -> Self {
        let pace = Pace::new(FIRST_CALL, TARGET);
        let lane = Mutex::new(Paces { additions: pace, removals: pace });
        Self { known, reader, writer, lane, state: Mutex::default() }
    }

    /// The thread that reads devices and sets them up.
    pub(super) fn start_reader(deadline: Duration) -> io::Result<Worker<Reader>> {
        Worker::start("wireguard-read", Reader::new(deadline), deadline)
    }

    /// The thread that changes peers.
    pub(super) fn start_writer(deadline: Duration) -> io::Result<Worker<Writer>> {
        Worker::start("wireguard-write", Writer::new(), deadline)
    }

    /// What it is known by.
    pub(super) const fn known(&self) -> &Known {
        &self.known
    }

    /// Sends one message. What the device has is unknown from before it is sent until it is acknowledged.
    async fn send(&self, state: &mut State, parts: Vec<Part>) -> Result<Duration, Fault> {
        state.changes = state.changes.saturating_add(1);
        let mut peers = state.peers.take();
        let index = self.known.index;
        let call = move |writer: &mut Writer| {
            let outcome = writer.set_peers(index, &parts);
            Ok((parts, outcome))
        };
        let (parts, outcome) = self.writer.call(call).await?;
        if let Some(peers) = peers.as_mut().filter(|_| outcome.is_ok()) {
            let names = Arc::make_mut(&mut state.names);
            for part in &parts {
                peers.done(part);
                if part.act == Act::Create {
                    names.insert(*part.key.as_bytes(), part.key);
                }
            }
        }
        let resync = outcome.as_ref().is_err_and(|fault| fault.when_writing() == Recovery::Resync);
        state.peers = peers.filter(|_| !resync);
        outcome
    }
}

impl State {
    /// Notes what the device has; `own` is its key.
    fn install(&mut self, own: PublicKey, peers: Peers) {
        let keys = peers.keys().chain([&own]);
        self.names = Arc::new(keys.map(|key| (*key.as_bytes(), *key)).collect());
        self.peers = Some(peers);
    }

    /// Notes that peers are about to be cut.
    fn cut(&mut self, keys: impl Iterator<Item = PublicKey>) {
        if Arc::strong_count(&self.waiting) == 1 {
            self.cuts.clear();
        }
        self.changes = self.changes.saturating_add(1);
        let change = self.changes;
        self.cuts.extend(keys.map(|key| (key, change)));
    }

    /// Waits for its turn from now on.
    fn turn(&self) -> Turn {
        Turn { since: self.changes, _waiting: Arc::clone(&self.waiting) }
    }

    /// Whether a peer was cut since.
    fn is_cut_since(&self, turn: &Turn, key: &PublicKey) -> bool {
        self.cuts.get(key).is_some_and(|change| *change > turn.since)
    }
}
