//! A backend in memory: elements, and the verdict that follows from them.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::backend::{Backend, BackendError};
use crate::desired::{Cell, Elements, Pair};
use crate::id::SessionId;
use crate::plan::{Add, Cut, Destroy, Gate, ObservedState, Plan, Step};
use crate::time::Timestamp;

use super::packet::{Flow, Packet, Payload, Side, Verdict};

/// What a backend may do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It says that all went well, and does nothing.
    Inert,
    /// It lets everything through, whether it is a packet or not.
    FilterOff,
    /// It does not look at which peer a packet from a device comes from.
    AnySource,
    /// What passed once passes for ever.
    TrustsFlows,
    /// What comes from the network passes to whoever has a session.
    OneWay,
    /// Cuts of pairs, also to sooner ends, are not carried out.
    KeepsPairs,
    /// Cuts of sources, also to sooner ends, are not carried out.
    KeepsSources,
    /// Cuts of cells are not carried out.
    KeepsCells,
    /// Allowed IPs are not taken away.
    KeepsAllowedIps,
    /// Peers are not removed.
    KeepsPeers,
    /// The gate is not closed.
    KeepsGate,
    /// Nothing ends by itself.
    Endless,
    /// Errors pass, whatever they quote.
    AnyError,
    /// A prefix moves to the peer that it was given to last.
    MovesPrefixes,
}

/// A gateway in memory that judges packets by its elements alone, one linear scan after another.
#[derive(Debug)]
pub struct FakeBackend {
    inner: Mutex<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    state: ObservedState,
    flows: Vec<(SessionId, Flow)>,
    /// How many more steps succeed, if one is to fail.
    steps_left: Option<usize>,
    fault: Option<Fault>,
}

impl Default for FakeBackend {
    fn default() -> Self {
        Self::make(None)
    }
}

impl FakeBackend {
    /// A backend that does one thing wrong: for tests that must notice.
    #[must_use]
    pub fn with_fault(fault: Fault) -> Self {
        Self::make(Some(fault))
    }

    fn make(fault: Option<Fault>) -> Self {
        let state = ObservedState { gate: Gate::Closed, elements: Elements::default() };
        Self { inner: Mutex::new(Inner { state, flows: Vec::new(), steps_left: None, fault }) }
    }

    /// Lets the next `steps` steps succeed and the one after them fail, once.
    pub fn fail_after(&self, steps: usize) {
        self.lock().steps_left = Some(steps);
    }

    /// Forgets the flows, as the restart of a gateway does; what is installed stays.
    pub fn forget_flows(&self) {
        self.lock().flows.clear();
    }

    /// Whether it is one that does this wrong.
    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.lock().fault == Some(fault)
    }

    /// What is installed.
    #[must_use]
    pub fn installed(&self) -> ObservedState {
        self.lock().state.clone()
    }

    /// Judges a packet at `now`; an accepted packet from a device opens its flow.
    pub fn judge(&self, packet: &Packet, now: Timestamp) -> Verdict {
        self.lock().judge(packet, now)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Backend for FakeBackend {
    async fn observe(&self) -> Result<ObservedState, BackendError> {
        Ok(self.installed())
    }

    async fn apply(&self, plan: &Plan) -> Result<(), BackendError> {
        let mut inner = self.lock();
        for step in &plan.steps {
            if inner.steps_left == Some(0) {
                inner.steps_left = None;
                return Err(BackendError::Step {
                    step: Box::new(step.clone()),
                    problem: "told to fail".into(),
                });
            }
            inner.steps_left = inner.steps_left.map(|left| left.saturating_sub(1));
            inner.step(step)?;
        }
        Ok(())
    }
}

impl Inner {
    fn step(&mut self, step: &Step) -> Result<(), BackendError> {
        if self.fault.is_some_and(|fault| fault.skips(step)) {
            return Ok(());
        }
        let moves = self.fault == Some(Fault::MovesPrefixes);
        let elements = &mut self.state.elements;
        let fail =
            |problem: &str| BackendError::Step { step: Box::new(step.clone()), problem: problem.into() };
        match step {
            Step::Cut(Cut::Gate) => self.state.gate = Gate::Closed,
            Step::Cut(Cut::Source(address)) => {
                elements.sources.remove(address);
            }
            Step::Cut(Cut::SourceUntil(address, source)) | Step::Add(Add::Source(address, source)) => {
                elements.sources.insert(*address, *source);
            }
            Step::Cut(Cut::Pair(pair)) => {
                elements.pairs.remove(pair);
            }
            Step::Cut(Cut::PairUntil(pair, end)) | Step::Add(Add::Pair(pair, end)) => {
                elements.pairs.insert(*pair, *end);
            }
            Step::Cut(Cut::Cell(cell)) => {
                elements.cells.remove(cell);
            }
            Step::Cut(Cut::AllowedIp(key, prefix)) => {
                if let Some(peer) = elements.peers.get_mut(key) {
                    peer.allowed_ips.remove(prefix);
                }
            }
            Step::Add(Add::Peer(key)) => {
                elements.peers.entry(*key).or_default();
            }
            Step::Add(Add::AllowedIp(key, prefix)) => {
                if moves {
                    elements
                        .peers
                        .values_mut()
                        .for_each(|peer| peer.allowed_ips.retain(|ip| !ip.overlaps(prefix)));
                }
                let mut others = elements.peers.iter().filter(|(other, _)| *other != key);
                if others.any(|(_, other)| other.allowed_ips.iter().any(|present| present.overlaps(prefix))) {
                    return Err(fail("another peer holds a part of this prefix"));
                }
                let peer = elements.peers.get_mut(key).ok_or_else(|| fail("no such peer"))?;
                peer.allowed_ips.insert(*prefix);
            }
            Step::Add(Add::Cell(cell, region)) => {
                if elements.cells.keys().any(|other| overlaps(other, cell)) {
                    return Err(fail("it overlaps another cell"));
                }
                elements.cells.insert(*cell, *region);
            }
            Step::Add(Add::Gate(until)) => self.state.gate = self.state.gate.max(Gate::OpenUntil(*until)),
            Step::Destroy(Destroy::Peer(key)) => {
                elements.peers.remove(key);
            }
        }
        Ok(())
    }

    fn judge(&mut self, packet: &Packet, now: Timestamp) -> Verdict {
        if self.fault == Some(Fault::FilterOff) {
            return Verdict::Accept;
        }
        let now = if self.fault == Some(Fault::Endless) { Timestamp::default() } else { now };
        let open = matches!(self.state.gate, Gate::OpenUntil(until) if now < until);
        if open && self.accepts(packet, now) { Verdict::Accept } else { Verdict::Drop }
    }

    fn accepts(&mut self, packet: &Packet, now: Timestamp) -> bool {
        match (packet.side, &packet.payload) {
            (Side::Device(key), payload) => {
                let peer = self.state.elements.peers.get(&key);
                let anybody = self.fault == Some(Fault::AnySource);
                if !anybody
                    && !peer.is_some_and(|peer| peer.allowed_ips.iter().any(|ip| ip.contains(packet.source)))
                {
                    return false;
                }
                if let Payload::Error { source, destination, payload } = payload {
                    if self.fault == Some(Fault::AnyError) {
                        return true;
                    }
                    let flow = Flow::inward(*source, *destination, payload);
                    let ours = packet.source == *destination && packet.destination == *source;
                    return ours && flow.is_some_and(|flow| self.is_open(flow, now));
                }
                let Some(flow) = Flow::outward(packet.source, packet.destination, payload) else {
                    return false;
                };
                if self.trusts(flow) {
                    return true;
                }
                let Some(session) = self.granted(flow, now) else { return false };
                if !self.flows.contains(&(session, flow)) {
                    self.flows.push((session, flow));
                }
                true
            }
            (Side::Network, Payload::Error { source, destination, payload }) => {
                if self.fault == Some(Fault::AnyError) {
                    return true;
                }
                let flow = Flow::outward(*source, *destination, payload);
                packet.destination == *source && flow.is_some_and(|flow| self.is_open(flow, now))
            }
            (Side::Network, payload) => {
                let flow = Flow::inward(packet.source, packet.destination, payload);
                flow.is_some_and(|flow| self.is_open(flow, now))
            }
        }
    }

    /// Whether the device opened the flow in its present session and still has leave to.
    fn is_open(&self, flow: Flow, now: Timestamp) -> bool {
        let routed = |address: IpAddr| {
            let mut peers = self.state.elements.peers.values();
            peers.any(|peer| peer.allowed_ips.iter().any(|prefix| prefix.contains(address)))
        };
        if self.fault == Some(Fault::OneWay) && self.state.elements.sources.contains_key(&flow.device) {
            return true;
        }
        self.trusts(flow)
            || routed(flow.device)
                && self.granted(flow, now).is_some_and(|session| self.flows.contains(&(session, flow)))
    }

    fn trusts(&self, flow: Flow) -> bool {
        self.fault == Some(Fault::TrustsFlows) && self.flows.iter().any(|(_, known)| *known == flow)
    }

    /// The session that has leave to open the flow.
    fn granted(&self, flow: Flow, now: Timestamp) -> Option<SessionId> {
        let elements = &self.state.elements;
        let source = elements.sources.get(&flow.device).filter(|source| now < source.until)?;
        let contains =
            |cell: &crate::desired::Cell| cell.contains(flow.remote, flow.protocol, flow.remote_port);
        let (_, region) = elements.cells.iter().find(|(cell, _)| contains(cell))?;
        let pair = Pair { source: flow.device, region: *region };
        let end = elements.pairs.end(&pair).filter(|end| !end.has_come(now));
        end.map(|_| source.session)
    }
}

impl Fault {
    /// Whether a step is not carried out.
    fn skips(self, step: &Step) -> bool {
        matches!(
            (self, step),
            (Self::Inert, _)
                | (Self::KeepsPairs, Step::Cut(Cut::Pair(_) | Cut::PairUntil(..)))
                | (Self::KeepsSources, Step::Cut(Cut::Source(_) | Cut::SourceUntil(..)))
                | (Self::KeepsCells, Step::Cut(Cut::Cell(_)))
                | (Self::KeepsAllowedIps, Step::Cut(Cut::AllowedIp(..)))
                | (Self::KeepsPeers, Step::Destroy(_))
                | (Self::KeepsGate, Step::Cut(Cut::Gate))
        )
    }
}

fn overlaps(one: &Cell, two: &Cell) -> bool {
    one.protocol == two.protocol
        && one.addresses.overlaps(&two.addresses)
        && one.ports.first <= two.ports.last
        && two.ports.first <= one.ports.last
}
