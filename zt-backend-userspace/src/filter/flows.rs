//! The flows that devices opened. Forgetting one only ever closes it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use zt_core::desired::Source;
use zt_core::id::{SessionEpoch, SessionId};
use zt_core::net::Protocol;
use zt_core::time::BootInstant;

use crate::packet::Message;

/// The most flows that are remembered.
const MAX_FLOWS: usize = 65_536;
/// The most flows that are remembered of one device address.
const MAX_FLOWS_PER_SOURCE: usize = 4_096;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner(SessionId, SessionEpoch);

impl Owner {
    /// The owner of flows that a source opens.
    pub(super) const fn of(source: &Source) -> Self {
        Self(source.session, source.epoch)
    }
}

#[derive(Debug)]
struct Flow {
    owner: Owner,
    used: BootInstant,
}

/// The remembered flows, oldest use first when one must go.
#[derive(Debug, Default)]
pub(super) struct FlowTable {
    flows: HashMap<FlowKey, Flow>,
    by_use: BTreeSet<(BootInstant, FlowKey)>,
    by_source: HashMap<IpAddr, BTreeSet<(BootInstant, FlowKey)>>,
}

impl FlowTable {
    /// Remembers that the device sent a packet of this flow.
    pub(super) fn remember(&mut self, key: FlowKey, owner: Owner, now: BootInstant) {
        if self.use_again(key, owner, now) {
            return;
        }
        self.forget(&key);
        if let Some(of_source) = self.by_source.get(&key.device)
            && of_source.len() >= MAX_FLOWS_PER_SOURCE
            && let Some((_, oldest)) = of_source.first().copied()
        {
            self.forget(&oldest);
        }
        if self.flows.len() >= MAX_FLOWS
            && let Some((_, oldest)) = self.by_use.first().copied()
        {
            self.forget(&oldest);
        }
        self.insert(key, Flow { owner, used: now });
    }

    /// Whether the flow is remembered for this owner; if so, notes that it is in use.
    pub(super) fn use_again(&mut self, key: FlowKey, owner: Owner, now: BootInstant) -> bool {
        if !self.knows(&key, owner, now) {
            return false;
        }
        let stale = self.flows.get(&key).is_some_and(|flow| now.since(flow.used) >= GRAIN);
        if stale {
            self.forget(&key);
            self.insert(key, Flow { owner, used: now });
        }
        true
    }

    /// Whether the flow is remembered for this owner.
    pub(super) fn knows(&self, key: &FlowKey, owner: Owner, now: BootInstant) -> bool {
        let alive = |flow: &Flow| flow.owner == owner && now.since(flow.used) < key.idle();
        self.flows.get(key).is_some_and(alive)
    }

    fn insert(&mut self, key: FlowKey, flow: Flow) {
        self.by_use.insert((flow.used, key));
        self.by_source.entry(key.device).or_default().insert((flow.used, key));
        self.flows.insert(key, flow);
    }

    fn forget(&mut self, key: &FlowKey) {
        let Some(flow) = self.flows.remove(key) else { return };
        self.by_use.remove(&(flow.used, *key));
        if let Some(of_source) = self.by_source.get_mut(&key.device) {
            of_source.remove(&(flow.used, *key));
            if of_source.is_empty() {
                self.by_source.remove(&key.device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner(SessionId(1), SessionEpoch(0));

    fn flow(device: u8, protocol: Protocol, port: u16) -> FlowKey {
        let (device, resource) = (IpAddr::from([10, 99, 0, device]), IpAddr::from([10, 100, 5, 10]));
        FlowKey { device, resource, protocol, device_port: port, resource_port: 443 }
    }

    fn at(seconds: u64) -> BootInstant {
        BootInstant::default().after(Duration::from_secs(seconds))
    }

    #[test]
    fn flows_end_when_idle_and_last_while_used() {
        for (protocol, idle) in [(Protocol::Tcp, 7_200), (Protocol::Udp, 180), (Protocol::Echo, 30)] {
            let mut table = FlowTable::default();
            let key = flow(1, protocol, 1);
            table.remember(key, OWNER, at(0));
            assert!(table.use_again(key, OWNER, at(idle - 1)));
            assert!(table.knows(&key, OWNER, at(idle)));
            assert!(!table.use_again(key, OWNER, at(2 * idle - 1)));
            table.remember(key, OWNER, at(2 * idle));
            assert!(table.knows(&key, OWNER, at(2 * idle)));
        }
    }

    #[test]
    fn flows_are_known_to_their_own_session_only() {
        let mut table = FlowTable::default();
        let key = flow(1, Protocol::Tcp, 1);
        let next = Owner(SessionId(1), SessionEpoch(1));
        table.remember(key, OWNER, at(0));
        assert!(!table.use_again(key, next, at(0)));
        table.remember(key, next, at(0));
        assert!(table.knows(&key, next, at(0)) && !table.knows(&key, OWNER, at(0)));
    }

    #[test]
    fn inv_r2_one_source_pushes_out_only_its_own_flows() {
        let mut table = FlowTable::default();
        let other = flow(2, Protocol::Udp, 1);
        table.remember(other, OWNER, at(0));
        let cap = u16::try_from(MAX_FLOWS_PER_SOURCE).unwrap();
        for port in 0..=cap {
            table.remember(flow(1, Protocol::Udp, port), OWNER, at(1));
        }
        assert_eq!(table.flows.len(), MAX_FLOWS_PER_SOURCE + 1);
        assert!(table.knows(&other, OWNER, at(1)));
        assert!(!table.knows(&flow(1, Protocol::Udp, 0), OWNER, at(1)));
        assert!(table.knows(&flow(1, Protocol::Udp, cap), OWNER, at(1)));
    }

    #[test]
    fn inv_r2_the_longest_idle_flow_goes_when_there_are_too_many() {
        let mut table = FlowTable::default();
        let sources = u8::try_from(MAX_FLOWS / MAX_FLOWS_PER_SOURCE).unwrap();
        let oldest = flow(0, Protocol::Tcp, 0);
        for device in 0..sources {
            for port in 0..u16::try_from(MAX_FLOWS_PER_SOURCE).unwrap() {
                table.remember(flow(device, Protocol::Tcp, port), OWNER, at(u64::from(device)));
            }
        }
        assert!(table.use_again(oldest, OWNER, at(60)));
        table.remember(flow(200, Protocol::Tcp, 1), OWNER, at(60));
        assert_eq!((table.flows.len(), table.by_use.len()), (MAX_FLOWS, MAX_FLOWS));
        assert!(table.knows(&oldest, OWNER, at(60)));
        assert!(!table.knows(&flow(0, Protocol::Tcp, 1), OWNER, at(60)));
    }
}
