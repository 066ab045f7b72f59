//! What a filter is to be told before it can serve.

use std::collections::BTreeSet;

use zt_core::net::{Prefix, Service};

use crate::{LinkName, Table};

/// Where a filter stands, and what it may use of what a host has only once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterConfig {
    /// The link that packets of devices come out of. It need not be there yet.
    pub link: LinkName,
    /// The prefixes of the devices' addresses. No address of this host may lie in them.
    pub pools: BTreeSet<Prefix>,
    /// What this host answers on its other links.
    pub underlay: Underlay,
    /// Names and numbers that nobody else on this host uses.
    pub reserved: Reserved,
}

/// What a host answers on links that are no tunnel. Everything else is dropped there, but neighbour discovery and what
/// belongs to flows that the host itself opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Underlay {
    /// The UDP port of WireGuard.
    pub wireguard_port: u16,
    /// Services of this host itself, as SSH for its operators.
    pub open: BTreeSet<Service>,
}

/// Names and numbers that nobody else on this host uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// The table of nftables.
    pub table: String,
    /// The bit of packet marks that accepted packets have.
    pub accepted: MarkBit,
    /// The routing table that has the routes to the devices.
    pub routes: Table,
}

impl Default for Reserved {
    /// `zt`, 0x10000 and 51820.
    fn default() -> Self {
        Self { table: "zt".to_owned(), accepted: MarkBit(16), routes: Table::TUNNEL }
    }
}

/// One bit of packet marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkBit(u8);

impl MarkBit {
    /// The bit of this number, counted from the lowest one, which is 0; none above 31.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number < 32 { Some(Self(number)) } else { None }
    }

    /// The mark that has this bit alone.
    #[must_use]
    pub const fn mask(self) -> u32 {
        1_u32.wrapping_shl(self.0 as u32)
    }
}
