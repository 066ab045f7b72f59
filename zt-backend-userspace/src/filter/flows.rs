//! The flows that devices opened. Forgetting one only ever closes it.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::ops::Bound;
use std::time::Duration;

use ahash::AHashMap;
use zt_core::desired::Source;
use zt_core::id::{RegionId, SessionEpoch, SessionId};
use zt_core::net::Protocol;
use zt_core::time::{BootInstant, Timestamp};

use super::Direction;
use super::record::{FlowEnd, FlowRecord, Traffic};
use crate::packet::Message;

/// The most flows that are remembered: 26 of each of 10,000 devices. A flow takes some 500 bytes, all of them 128 MB.
const MAX_FLOWS: usize = 262_144;
/// The most flows that are remembered of one device address.
const MAX_FLOWS_PER_SOURCE: usize = 4_096;
/// The most flows that have ended and wait to be told of.
const MAX_ENDED: usize = 65_536;

const TCP_IDLE: Duration = Duration::from_hours(2);
const UDP_IDLE: Duration = Duration::from_mins(3);
const ECHO_IDLE: Duration = Duration::from_secs(30);

/// A flow's last use is noted this exactly, so a busy flow is not moved in the order of age with each packet.
const GRAIN: Duration = Duration::from_secs(1);

/// A flow between a device and a resource, named from the device's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FlowKey {
    /// The device's address.
    pub(super) device: IpAddr,
    /// The resource's address.
    pub(super) resource: IpAddr,
    /// The protocol.
    pub(super) protocol: Protocol,
    /// The device's port, or the identifier of its echo requests.
    pub(super) device_port: u16,
    /// The resource's port; 0 for echo.
    pub(super) resource_port: u16,
}

impl FlowKey {
    /// The flow of a message that a device sends; none if devices may not send such a message.
    pub(super) const fn of_sent(device: IpAddr, resource: IpAddr, message: Message) -> Option<Self> {
        let (protocol, device_port, resource_port) = match message {
            Message::Tcp { source, destination } => (Protocol::Tcp, source, destination),
            Message::Udp { source, destination } => (Protocol::Udp, source, destination),
            Message::EchoRequest { id } => (Protocol::Echo, id, 0),
            Message::EchoReply { .. } => return None,
        };
        Some(Self { device, resource, protocol, device_port, resource_port })
    }

    /// The flow of a message that a device receives; none if devices may not receive such a message.
    pub(super) const fn of_received(device: IpAddr, resource: IpAddr, message: Message) -> Option<Self> {
        let (protocol, device_port, resource_port) = match message {
            Message::Tcp { source, destination } => (Protocol::Tcp, destination, source),
            Message::Udp { source, destination } => (Protocol::Udp, destination, source),
            Message::EchoReply { id } => (Protocol::Echo, id, 0),
            Message::EchoRequest { .. } => return None,
        };
        Some(Self { device, resource, protocol, device_port, resource_port })
    }

    const fn idle(&self) -> Duration {
        match self.protocol {
            Protocol::Tcp => TCP_IDLE,
            Protocol::Udp => UDP_IDLE,
            Protocol::Echo => ECHO_IDLE,
        }
    }
}

/// Under whose session a flow was opened. Flows of another session count as forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner(SessionId, SessionEpoch);

impl Owner {
    /// The owner of flows that a source opens.
    pub(super) const fn of(source: &Source) -> Self {
        Self(source.session, source.epoch)
    }

    /// The source of this owner that ends then.
    pub(super) const fn source(self, until: Timestamp) -> Source {
        Source { session: self.0, epoch: self.1, until }
    }
}

/// A packet of a flow that may pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    /// Which flow.
    pub(super) key: FlowKey,
    /// Under whose session.
    pub(super) owner: Owner,
    /// Where the packet is going.
    pub(super) direction: Direction,
    /// Its length in bytes.
    pub(super) length: usize,
}

#[derive(Debug)]
struct Flow {
    owner: Owner,
    region: RegionId,
    opened: BootInstant,
    used: BootInstant,
    sent: Traffic,
    received: Traffic,
}

/// A place in the order of use.
pub(super) type Cursor = (BootInstant, FlowKey);

/// The remembered flows, and those that have ended and were not told of yet.
///
/// If one must go, it is the longest unused of the address that has the most: whoever opens many flows pushes out
/// their own, and those of nobody who has fewer.
#[derive(Debug, Default)]
pub(super) struct FlowTable {
    flows: AHashMap<FlowKey, Flow>,
    by_use: BTreeSet<Cursor>,
    by_source: AHashMap<IpAddr, BTreeSet<Cursor>>,
    /// How many flows each address has.
    by_count: BTreeSet<(usize, IpAddr)>,
    ended: VecDeque<FlowRecord>,
    lost: u64,
}

impl FlowTable {
    /// Remembers that the device sent a packet of this flow, which lies in this region.
    pub(super) fn remember(&mut self, packet: Use, region: RegionId, now: BootInstant) {
        if self.use_again(packet, now) {
            return;
        }
        let Use { key, owner, .. } = packet;
        let before = self.flows.get(&key).map(|flow| flow.end(&key, now));
        self.end(&key, before.flatten().unwrap_or(FlowEnd::Session));
        self.make_room(key.device);
        let (sent, received) = (Traffic::default(), Traffic::default());
        self.insert(key, Flow { owner, region, opened: now, used: now, sent, received });
        self.use_again(packet, now);
    }

    /// Whether the flow is remembered for this owner; if so, counts the packet and notes that the flow is in use.
    pub(super) fn use_again(&mut self, packet: Use, now: BootInstant) -> bool {
        let Use { key, owner, direction, length } = packet;
        let Some(flow) = self.flows.get_mut(&key).filter(|flow| flow.is_alive(&key, owner, now)) else {
            return false;
        };
        match direction {
            Direction::FromDevice => flow.sent.add(length),
            Direction::ToDevice => flow.received.add(length),
        }
        if now.since(flow.used) >= GRAIN {
            let before = std::mem::replace(&mut flow.used, now);
            let of_source = self.by_source.get_mut(&key.device);
            for order in of_source.into_iter().chain([&mut self.by_use]) {
                order.remove(&(before, key));
                order.insert((now, key));
            }
        }
        true
    }

    /// Whether the flow is remembered for this owner.
    pub(super) fn knows(&self, key: &FlowKey, owner: Owner, now: BootInstant) -> bool {
        self.flows.get(key).is_some_and(|flow| flow.is_alive(key, owner, now))
    }

    /// Some flows that live, from a place in the order of use on, and the place behind them. Those that have ended,
    /// because they are idle or by `ended`, are forgotten.
    ///
    /// A flow that is used meanwhile moves on: it may come twice, but is not passed over.
    pub(super) fn page(
        &mut self,
        (after, most): (Option<Cursor>, usize),
        now: BootInstant,
        ended: impl Fn(&FlowKey, Owner) -> Option<FlowEnd>,
    ) -> (Vec<FlowRecord>, Option<Cursor>) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let page: Vec<Cursor> = self.by_use.range((from, Bound::Unbounded)).take(most).copied().collect();
        let mut living = Vec::with_capacity(page.len());
        for (_, key) in &page {
            let Some(flow) = self.flows.get(key) else { continue };
            match flow.end(key, now).or_else(|| ended(key, flow.owner)) {
                Some(end) => self.end(key, end),
                None => living.push(flow.record(key, None)),
            }
        }
        (living, page.last().copied())
    }

    /// The flows that have ended and were not told of yet, and how many could not be kept.
    pub(super) fn take_ended(&mut self) -> (VecDeque<FlowRecord>, u64) {
        (std::mem::take(&mut self.ended), std::mem::take(&mut self.lost))
    }

    /// Makes room for another flow of this address.
    fn make_room(&mut self, device: IpAddr) {
        let own = self.by_source.get(&device).map_or(0, BTreeSet::len);
        let most = self.by_count.last().filter(|_| self.flows.len() >= MAX_FLOWS);
        let crowded = match most {
            Some((most, other)) if own < *most => *other,
            None if own < MAX_FLOWS_PER_SOURCE => return,
            Some(_) | None => device,
        };
        let oldest = self.by_source.get(&crowded).and_then(BTreeSet::first).copied();
        if let Some((_, oldest)) = oldest {
            self.end(&oldest, FlowEnd::Room);
        }
    }

    fn end(&mut self, key: &FlowKey, end: FlowEnd) {
        let Some(flow) = self.remove(key) else { return };
        if self.ended.len() >= MAX_ENDED {
            self.ended.pop_front();
            self.lost = self.lost.saturating_add(1);
        }
        self.ended.push_back(flow.record(key, Some(end)));
    }

    fn insert(&mut self, key: FlowKey, flow: Flow) {
        self.by_use.insert((flow.used, key));
        let of_source = self.by_source.entry(key.device).or_default();
        self.by_count.remove(&(of_source.len(), key.device));
        of_source.insert((flow.used, key));
        self.by_count.insert((of_source.len(), key.device));
        self.flows.insert(key, flow);
    }

    fn remove(&mut self, key: &FlowKey) -> Option<Flow> {
        let flow = self.flows.remove(key)?;
        self.by_use.remove(&(flow.used, *key));
        if let Some(of_source) = self.by_source.get_mut(&key.device) {
            self.by_count.remove(&(of_source.len(), key.device));
            of_source.remove(&(flow.used, *key));
            if of_source.is_empty() {
                self.by_source.remove(&key.device);
            } else {
                self.by_count.insert((of_source.len(), key.device));
            }
        }
        Some(flow)
    }
}

impl Flow {
    fn is_alive(&self, key: &FlowKey, owner: Owner, now: BootInstant) -> bool {
        self.owner == owner && self.end(key, now).is_none()
    }

    fn end(&self, key: &FlowKey, now: BootInstant) -> Option<FlowEnd> {
        (now.since(self.used) >= key.idle()).then_some(FlowEnd::Idle)
    }

    const fn record(&self, key: &FlowKey, end: Option<FlowEnd>) -> FlowRecord {
        let FlowKey { device, resource, protocol, device_port, resource_port } = *key;
        let Self { owner: Owner(session, epoch), region, opened, used, sent, received } = *self;
        FlowRecord {
            device,
            resource,
            protocol,
            device_port,
            resource_port,
            session,
            epoch,
            region,
            opened,
            used,
            sent,
            received,
            end,
        }
    }
}
