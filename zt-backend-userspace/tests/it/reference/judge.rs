//! The judge: it scans lists, and reads and puts together packets in its own way.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use zt_core::desired::{Elements, Pair, PairEnd};
use zt_core::id::{SessionEpoch, SessionId};
use zt_core::net::Protocol;
use zt_core::testing::{Payload, Reassembly, Side, Taken, read};
use zt_core::time::Timestamp;

/// How long fragments wait for the rest of their packet.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What is to become of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// These are handed on: the packet, or all of its fragments.
    Accept(Vec<Vec<u8>>),
    Hold,
    Drop,
}

/// A conversation: protocol, device, host, the device's port or the identifier of its echo requests, the host's port.
type Talk = (Protocol, IpAddr, IpAddr, u16, u16);

type Session = (SessionId, SessionEpoch);

struct Flow {
    talk: Talk,
    session: Session,
    used: Timestamp,
}

#[derive(Default)]
pub(super) struct Judge {
    pub(super) now: Timestamp,
    pub(super) gate: Option<Timestamp>,
    pub(super) elements: Elements,
    flows: Vec<Flow>,
    /// By the device, its session, and whether it is the sender.
    fragments: BTreeMap<(IpAddr, Session, bool), Reassembly>,
}

impl Judge {
    pub(super) fn wait(&mut self, time: Duration) {
        self.now = self.now.after(time);
        self.fragments.values_mut().for_each(|waiting| waiting.wait(time, PATIENCE));
    }

    /// How many packets of the device that this packet is from or to wait for the rest of their fragments.
    pub(super) fn waiting(&self, from_device: bool, bytes: &[u8]) -> usize {
        let device = device(from_device, bytes);
        let of_device = self
            .fragments
            .iter()
            .filter(|((other, _, way), _)| (Some(*other), *way) == (device, from_device));
        of_device.map(|(_, waiting)| waiting.waiting()).sum()
    }

    pub(super) fn judge(&mut self, from_device: bool, bytes: &[u8]) -> Outcome {
        let Some(device) = device(from_device, bytes) else { return Outcome::Drop };
        let Some(session) = self.session(device) else { return Outcome::Drop };
        match self.fragments.entry((device, session, from_device)).or_default().take(bytes) {
            Taken::Whole { packet, parts } if self.accepts(from_device, &packet) => Outcome::Accept(parts),
            Taken::Whole { .. } | Taken::Dropped => Outcome::Drop,
            Taken::Waits => Outcome::Hold,
        }
    }

    fn accepts(&mut self, from_device: bool, bytes: &[u8]) -> bool {
        let Some(packet) = read(Side::Network, bytes) else { return false };
        let (device, other) = if from_device {
            (packet.source, packet.destination)
        } else {
            (packet.destination, packet.source)
        };
        let mut is_error = false;
        let talk = if let Payload::Error { source, destination, payload } = packet.payload {
            is_error = true;
            // The quoted packet went the other way: to the device that reports it, from whom it reports to; or from
            // the device that is told, by anyone.
            let (near, far) = if from_device { (destination, source) } else { (source, destination) };
            if near != device || from_device && far != other {
                return false;
            }
            talk(!from_device, near, far, &payload)
        } else {
            talk(from_device, device, other, &packet.payload)
        };
        let Some((talk, session)) = talk.zip(self.session(device)) else { return false };
        if !self.grants(talk) {
            return false;
        }
        let now = self.now;
        let idle = Duration::from_secs(match talk.0 {
            Protocol::Tcp => 7_200,
            Protocol::Udp => 180,
            Protocol::Echo => 30,
        });
        let mut known = self
            .flows
            .iter_mut()
            .find(|flow| flow.talk == talk && flow.session == session && now.since(flow.used) < idle);
        if let Some(flow) = known.as_mut().filter(|_| !is_error) {
            flow.used = now;
        }
        if known.is_none() && from_device && !is_error {
            self.flows.retain(|flow| flow.talk != talk);
            self.flows.push(Flow { talk, session, used: now });
            return true;
        }
        known.is_some()
    }

    /// The session of a device, if the gate is open.
    fn session(&self, device: IpAddr) -> Option<Session> {
        self.gate.filter(|until| self.now < *until)?;
        let source = self.elements.sources.get(&device).filter(|source| self.now < source.until)?;
        Some((source.session, source.epoch))
    }

    fn grants(&self, (protocol, device, host, _, port): Talk) -> bool {
        self.elements.cells.iter().any(|(cell, region)| {
            cell.addresses.first.is_ipv4() == host.is_ipv4()
                && cell.addresses.first <= host
                && host <= cell.addresses.last
                && cell.protocol == protocol
                && (cell.ports.first..=cell.ports.last).contains(&port)
                && match self.elements.pairs.end(&Pair { source: device, region: *region }) {
                    None => false,
                    Some(PairEnd::WithSource) => true,
                    Some(PairEnd::At(until)) => self.now < until,
                }
        })
    }
}

/// The conversation of a message that the device sends or receives; none if it may not.
fn talk(sends: bool, device: IpAddr, host: IpAddr, message: &Payload) -> Option<Talk> {
    let (protocol, source, destination) = match *message {
        Payload::Tcp { source, destination } => (Protocol::Tcp, source, destination),
        Payload::Udp { source, destination } => (Protocol::Udp, source, destination),
        Payload::EchoRequest { id } if sends => return Some((Protocol::Echo, device, host, id, 0)),
        Payload::EchoReply { id } if !sends => return Some((Protocol::Echo, device, host, id, 0)),
        Payload::EchoRequest { .. } | Payload::EchoReply { .. } | Payload::Error { .. } | Payload::Other => {
            return None;
        }
    };
    let (near, far) = if sends { (source, destination) } else { (destination, source) };
    Some((protocol, device, host, near, far))
}

/// The address in the place where the device's is.
fn device(from_device: bool, bytes: &[u8]) -> Option<IpAddr> {
    let v4 = |at: usize| Some(Ipv4Addr::from(*bytes.get(at..)?.first_chunk::<4>()?).into());
    let v6 = |at: usize| Some(Ipv6Addr::from(*bytes.get(at..)?.first_chunk::<16>()?).into());
    match (bytes.first()? >> 4, from_device) {
        (4, true) => v4(12),
        (4, false) => v4(16),
        (6, true) => v6(8),
        (6, false) => v6(24),
        _ => None,
    }
}
