//! Address ranges that have a meaning of their own, so that no grant covers them by the way.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::net::{AddressRange, Prefix};

/// A range that has a meaning of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Special {
    /// `127.0.0.0/8` and `::1`: a host itself.
    Loopback,
    /// `169.254.0.0/16` and `fe80::/10`: the hosts on one link, among them cloud metadata services.
    LinkLocal,
    /// `224.0.0.0/4` and `ff00::/8`: groups of hosts.
    Multicast,
    /// `255.255.255.255`: all hosts on one link.
    Broadcast,
    /// `0.0.0.0/8` and `::`: no host in particular.
    Unspecified,
    /// `::ffff:0:0/96`: IPv4 addresses by another name.
    Mapped,
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "the loopback addresses",
            Self::LinkLocal => "the link-local addresses",
            Self::Multicast => "the multicast addresses",
            Self::Broadcast => "the broadcast address",
            Self::Unspecified => "the unspecified addresses",
            Self::Mapped => "the IPv4-mapped addresses",
        })
    }
}

/// All such ranges.
pub(super) const RANGES: [(Special, AddressRange); 10] = [
    (Special::Unspecified, v4([0, 0, 0, 0], [0, 255, 255, 255])),
    (Special::Loopback, v4([127, 0, 0, 0], [127, 255, 255, 255])),
    (Special::LinkLocal, v4([169, 254, 0, 0], [169, 254, 255, 255])),
    (Special::Multicast, v4([224, 0, 0, 0], [239, 255, 255, 255])),
    (Special::Broadcast, v4([255, 255, 255, 255], [255, 255, 255, 255])),
    (Special::Unspecified, v6(0, 0)),
    (Special::Loopback, v6(1, 1)),
    (Special::Mapped, v6(0xffff_0000_0000, 0xffff_ffff_ffff)),
    (Special::LinkLocal, v6(0xfe80 << 112, (0xfec0 << 112) - 1)),
    (Special::Multicast, v6(0xff00 << 112, u128::MAX)),
];

/// The first such range that shares an address with `prefix`.
pub(super) fn overlapped(prefix: &Prefix) -> Option<Special> {
    let range = prefix.range();
    RANGES.iter().find(|(_, special)| special.overlaps(&range)).map(|(special, _)| *special)
}

const fn v4(first: [u8; 4], last: [u8; 4]) -> AddressRange {
    let [first, last] = [u32::from_be_bytes(first), u32::from_be_bytes(last)];
    AddressRange {
        first: IpAddr::V4(Ipv4Addr::from_bits(first)),
        last: IpAddr::V4(Ipv4Addr::from_bits(last)),
    }
}

const fn v6(first: u128, last: u128) -> AddressRange {
    AddressRange {
        first: IpAddr::V6(Ipv6Addr::from_bits(first)),
        last: IpAddr::V6(Ipv6Addr::from_bits(last)),
    }
}
