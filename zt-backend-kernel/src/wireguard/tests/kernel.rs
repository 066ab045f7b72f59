//! A made-up kernel with one device.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rustix::io::Errno;
use zt_core::key::PublicKey;
use zt_core::net::Prefix;

use super::answers::{self, Answer};
use super::{INDEX, own};
use crate::wireguard::batch::{Act, Part};
use crate::wireguard::fault::Fault;
use crate::wireguard::netlink::Wire;
use crate::wireguard::reader::Reader;
use crate::wireguard::worker::Worker;
use crate::wireguard::writer::{SetPeers, Writer};

/// How a change fails: with this error, after so many parts, and so many allowed IPs of the next one; or before all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub(super) errno: Errno,
    pub(super) done: Option<(usize, usize)>,
}

/// What the device is, and what is to happen to it.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) public_key: Option<[u8; 32]>,
    pub(super) peers: BTreeMap<PublicKey, BTreeSet<Prefix>>,
    /// The changes that were asked for.
    pub(super) changes: Vec<Vec<Part>>,
    /// How many sockets were opened to ask something.
    pub(super) requests: usize,
    /// The failures of changes by their places.
    pub(super) failures: BTreeMap<usize, Failure>,
    /// What is answered to requests for lists instead of the list.
    pub(super) answers: VecDeque<Answer>,
    /// How many more changes are let in before the kernel hangs.
    pub(super) hangs_after: Option<usize>,
    /// Whether lists that were made are held back.
    pub(super) holds_lists: bool,
    /// The settings that were sent.
    pub(super) settings: Vec<Vec<u8>>,
}

/// A handle of the kernel.
#[derive(Debug, Clone)]
pub(super) struct Kernel(Arc<(Mutex<Model>, Condvar)>);

impl Kernel {
    /// One with a device without peers.
    pub(super) fn new() -> Self {
        let model = Model {
            index: INDEX,
            name: "wg0".into(),
            public_key: Some(*own().as_bytes()),
            peers: BTreeMap::new(),
            changes: Vec::new(),
            requests: 0,
            failures: BTreeMap::new(),
            answers: VecDeque::new(),
            hangs_after: None,
            holds_lists: false,
            settings: Vec::new(),
        };
        Self(Arc::new((Mutex::new(model), Condvar::new())))
    }

    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.0.0.lock().unwrap()
    }

    /// How many sockets were opened to ask something.
    pub(super) fn requests(&self) -> usize {
        self.model().requests
    }

    /// How many changes were asked for.
    pub(super) fn sent(&self) -> usize {
        self.model().changes.len()
    }

    /// The peers that there are.
    pub(super) fn peers(&self) -> BTreeMap<PublicKey, BTreeSet<Prefix>> {
        self.model().peers.clone()
    }

    /// Lets it go on, or hang after so many changes.
    pub(super) fn hang_after(&self, changes: Option<usize>) {
        self.model().hangs_after = changes;
        self.0.1.notify_all();
    }

    /// Holds back lists once they are made, or lets them go.
    pub(super) fn hold_lists(&self, hold: bool) {
        self.model().holds_lists = hold;
        self.0.1.notify_all();
    }

    /// Waits until so many changes were asked for.
    pub(super) async fn changes(&self, count: usize) {
        while self.sent() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(super) fn reader(&self, deadline: Duration) -> Reader {
        let reading = self.clone();
        let connect = Box::new(move || {
            reading.model().requests += 1;
            let wire: Box<dyn Wire> = Box::new(MadeUp { kernel: reading.clone(), pending: VecDeque::new() });
            Ok(wire)
        });
        Reader::over(connect, deadline)
    }

    pub(super) fn workers(&self, deadline: Duration) -> (Worker<Reader>, Worker<Writer>) {
        let (reader, writing) = (self.reader(deadline), self.clone());
        let writer = Writer::over(Box::new(move || Ok(Box::new(writing.clone()))));
        (Worker::start("read", reader, deadline).unwrap(), Worker::start("write", writer, deadline).unwrap())
    }
}

impl SetPeers for Kernel {
    fn set_peers(&mut self, index: u32, parts: &[Part]) -> Result<(), Fault> {
        let mut model = self.model();
        let place = model.changes.len();
        model.changes.push(parts.to_vec());
        while let Some(left) = model.hangs_after {
            if left > 0 {
                model.hangs_after = Some(left - 1);
                break;
            }
            model = self.0.1.wait(model).unwrap();
        }
        if index != model.index {
            return Err(Fault::Refused(Errno::NODEV.into()));
        }
        let Some(Failure { errno, done }) = model.failures.get(&place).copied() else {
            parts.iter().for_each(|part| model.change(part));
            return Ok(());
        };
        if let Some((whole, allowed_ips)) = done {
            parts.iter().take(whole).for_each(|part| model.change(part));
            if let Some(torn) = parts.get(whole).filter(|torn| torn.act != Act::Remove) {
                let allowed_ips = torn.allowed_ips.iter().take(allowed_ips).copied().collect();
                model.change(&Part { allowed_ips, ..torn.clone() });
            }
        }
        Err(Fault::Refused(errno.into()))
    }
}

impl Model {
    /// What `set_peer` in drivers/net/wireguard/netlink.c does.
    fn change(&mut self, part: &Part) {
        if self.public_key == Some(*part.key.as_bytes()) {
            return;
        }
        match part.act {
            Act::Remove => drop(self.peers.remove(&part.key)),
            Act::Replace | Act::Extend if !self.peers.contains_key(&part.key) => return,
            Act::Create | Act::Replace => drop(self.peers.insert(part.key, BTreeSet::new())),
            Act::Extend => {}
        }
        if part.act == Act::Remove {
            return;
        }
        for prefix in &part.allowed_ips {
            // it moves, without a word
            self.peers.values_mut().for_each(|held| held.retain(|other| other != prefix));
            self.peers.entry(part.key).or_default().insert(*prefix);
        }
    }
}

/// A socket to it.
struct MadeUp {
    kernel: Kernel,
    pending: VecDeque<io::Result<Vec<u8>>>,
}

impl Wire for MadeUp {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.pending = answers::to(request, &mut self.kernel.model())?;
        Ok(())
    }

    fn receive<'a>(&mut self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let model = self.kernel.model();
        drop(self.kernel.0.1.wait_while(model, |model| model.holds_lists).unwrap());
        let datagram = self.pending.pop_front().unwrap_or(Err(Errno::AGAIN.into()))?;
        let place = buffer.get_mut(..datagram.len()).ok_or(io::Error::from(Errno::MSGSIZE))?;
        place.copy_from_slice(&datagram);
        Ok(place)
    }
}
