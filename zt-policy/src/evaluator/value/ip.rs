//! Cedar's `ipaddr`: an address with the length of a prefix, host bits kept.

use std::net::IpAddr;

/// An address, or a network with one of its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ip {
    address: IpAddr,
    /// At most 32 or 128; that for a single address.
    prefix: u8,
}

/// The longest text that Cedar takes.
const MAX_TEXT_BYTES: usize = 43;

impl Ip {
    /// Reads what Cedar's `ip(..)` takes: no IPv4 within IPv6 written with dots, no leading zeros.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let twice = |c| text.matches(c).nth(1).is_some();
        if text.len() > MAX_TEXT_BYTES || (twice(':') && twice('.')) {
            return None;
        }
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = bits(address);
        Some(Self { address, prefix: prefix.map_or(Some(most), |text| parse_prefix(text, most))? })
    }

    pub(crate) const fn is_v4(self) -> bool {
        self.address.is_ipv4()
    }

    /// Whether all of the network is loopback.
    pub(crate) fn is_loopback(self) -> bool {
        self.address.is_loopback() && self.prefix >= if self.is_v4() { 8 } else { 128 }
    }

    /// Whether all of the network is multicast.
    pub(crate) fn is_multicast(self) -> bool {
        self.address.is_multicast() && self.prefix >= if self.is_v4() { 4 } else { 8 }
    }

    /// Whether all of this network is in `other`; never across the two versions.
    pub(crate) fn is_in_range(self, other: Self) -> bool {
        let ((from, to), (other_from, other_to)) = (self.range(), other.range());
        self.is_v4() == other.is_v4() && other_from <= from && to <= other_to
    }

    /// The first and the last address of the network.
    fn range(self) -> (u128, u128) {
        let (number, all) = match self.address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), u128::from(u32::MAX)),
            IpAddr::V6(address) => (u128::from(address), u128::MAX),
        };
        let host = all.checked_shr(u32::from(self.prefix)).unwrap_or(0);
        (number & !host, number | host)
    }
}

const fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn parse_prefix(text: &str, most: u8) -> Option<u8> {
    let digits = if most == 32 { 2 } else { 3 };
    let plain = text.len() <= digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (text.starts_with('0') && text != "0") {
        return None;
    }
    text.parse().ok().filter(|prefix| *prefix <= most)
}
