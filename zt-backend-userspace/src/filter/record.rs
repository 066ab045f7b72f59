//! Records of flows: what a flow log is made of.

use std::net::IpAddr;

use zt_core::id::{RegionId, SessionEpoch, SessionId};
use zt_core::net::Protocol;
use zt_core::time::BootInstant;

use super::flows::FlowKey;

/// A flow that a device opened, and what it carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowRecord {
    /// The device's address.
    pub device: IpAddr,
    /// The resource's address.
    pub resource: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The device's port, or the identifier of its echo requests.
    pub device_port: u16,
    /// The resource's port; 0 for echo.
    pub resource_port: u16,
    /// The session that it was opened in.
    pub session: SessionId,
    /// That session's epoch.
    pub epoch: SessionEpoch,
    /// The region that the resource lay in when it was opened.
    pub region: RegionId,
    /// When its first packet passed.
    pub opened: BootInstant,
    /// When its last packet passed, or up to a second earlier.
    pub used: BootInstant,
    /// What the device sent.
    pub sent: Traffic,
    /// What the device was sent, without ICMP errors.
    pub received: Traffic,
    /// Why it is forgotten; none while it lives.
    pub end: Option<FlowEnd>,
}

/// How much passed the filter, including what the queue behind it had no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Packets; a packet that came in fragments is one.
    pub packets: u64,
    /// Their bytes, with their IP headers.
    pub bytes: u64,
}

/// Why a flow is forgotten. Its next packet opens another one, if that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowEnd {
    /// It carried nothing for longer than its protocol's patience: two hours for TCP, three minutes for UDP, half a minute
    /// for echo.
    Idle,
    /// The device's session has ended, or is another one.
    Session,
    /// Its resource is not granted any more.
    Grant,
    /// Others needed its room: its device has too many flows, or all have together and its device the most.
    Room,
}

/// All flows of a filter at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flows {
    /// Those that live, by their last use.
    pub living: Vec<FlowRecord>,
    /// Those that have ended since they were last asked for, by when that was found out.
    pub ended: Vec<FlowRecord>,
    /// How many more have ended, whose records had to go as there were more than 65,536.
    pub lost: u64,
}

impl Traffic {
    pub(super) fn add(&mut self, length: usize) {
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
    }
}

impl FlowRecord {
    /// What tells it from all other flows, before and after it.
    pub(super) const fn name(&self) -> (FlowKey, BootInstant) {
        let Self { device, resource, protocol, device_port, resource_port, opened, .. } = *self;
        (FlowKey { device, resource, protocol, device_port, resource_port }, opened)
    }
}
