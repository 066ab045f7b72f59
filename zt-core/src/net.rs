//! Addresses and ports: prefixes, port ranges, and what a resource serves on them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is no prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// Neither an IPv4 nor an IPv6 address in strict notation, or a length that is no plain number.
    #[error("`{0}` is not an address or a prefix")]
    Syntax(String),
    /// The length is greater than the address has bits.
    #[error("prefix length {0} is too long for this address")]
    Length(u8),
    /// Bits behind the prefix are set.
    #[error("`{text}` has host bits set; the prefix would be `{prefix}`")]
    HostBits {
        /// The text as given.
        text: String,
        /// What it would be with the host bits cleared.
        prefix: Prefix,
    },
    /// An IPv4 address in IPv6 clothes (`::ffff:0:0/96`), which would be another name for the same thing.
    #[error("`{0}` is an IPv4-mapped address; write the IPv4 address")]
    Mapped(String),
}

/// An address prefix whose host bits are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The prefix of just this address: /32 or /128.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        Self { address, length: bits(address) }
    }

    /// Makes a prefix of an address and a length.
    ///
    /// # Errors
    /// If the length is too great, host bits are set, or the address is IPv4-mapped.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let host_bits = bits(address).checked_sub(length).ok_or(PrefixError::Length(length))?;
        if let IpAddr::V6(v6) = address
            && v6.to_ipv4_mapped().is_some()
        {
            return Err(PrefixError::Mapped(v6.to_string()));
        }
        let first = number(address) & !low_bits(host_bits);
        let prefix = Self { address: with_number(address, first), length };
        if prefix.address == address {
            Ok(prefix)
        } else {
            Err(PrefixError::HostBits { text: format!("{address}/{length}"), prefix })
        }
    }

    /// The first address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The number of leading bits that are fixed.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Whether this is one address.
    #[must_use]
    pub const fn is_host(&self) -> bool {
        self.length == bits(self.address)
    }

    /// All its addresses.
    #[must_use]
    pub fn range(&self) -> AddressRange {
        let first = number(self.address);
        let last = first | low_bits(bits(self.address).saturating_sub(self.length));
        AddressRange { first: self.address, last: with_number(self.address, last) }
    }

    /// Whether `address` lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.range().contains(address)
    }

    /// Whether the two share an address.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.range().overlaps(&other.range())
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Strict notation only: `10.0.0.0/8`, `fd00::/8`, or a plain address for a single host.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let syntax = || PrefixError::Syntax(text.chars().take(64).collect());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| syntax())?;
        let length = match length {
            None => bits(address),
            Some(digits) if digits == "0" || is_plain_number(digits) => {
                digits.parse().map_err(|_| syntax())?
            }
            Some(_) => return Err(syntax()),
        };
        Self::new(address, length)
    }
}

fn is_plain_number(digits: &str) -> bool {
    !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;

    fn try_from(text: String) -> Result<Self, PrefixError> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The addresses from `first` to `last`, both included and of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AddressRange {
    /// The lowest address.
    pub first: IpAddr,
    /// The highest address, of the same family.
    pub last: IpAddr,
}

impl AddressRange {
    /// Whether `address` lies in it; an address of the other family does not.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4() && self.first <= address && address <= self.last
    }

    /// Whether the two share an address.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first.is_ipv4() == other.first.is_ipv4() && self.first <= other.last && other.first <= self.last
    }
}

/// What a packet carries, as far as access is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP; its ports are the destination's.
    Tcp,
    /// UDP; its ports are the destination's.
    Udp,
    /// ICMP and ICMPv6 echo; it has no ports and stands at port 0.
    Echo,
}

/// The ports from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortRange {
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

impl PortRange {
    /// Just this port.
    #[must_use]
    pub const fn single(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// Whether `port` lies in it.
    #[must_use]
    pub const fn contains(&self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

/// Why a text is no service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a service; write `tcp/443`, `udp/5000-5099` or `echo`")]
pub struct ServiceError(String);

/// A protocol with the ports it is served on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Service {
    /// The protocol.
    pub protocol: Protocol,
    /// Its ports; for [`Protocol::Echo`] always the single port 0.
    pub ports: PortRange,
}

impl Service {
    /// ICMP echo.
    pub const ECHO: Self = Self { protocol: Protocol::Echo, ports: PortRange::single(0) };
}

impl FromStr for Service {
    type Err = ServiceError;

    /// `tcp/443`, `udp/5000-5099` or `echo`. Port 0 and ranges that run backwards are refused.
    fn from_str(text: &str) -> Result<Self, ServiceError> {
        let error = || ServiceError(text.chars().take(64).collect());
        if text == "echo" {
            return Ok(Self::ECHO);
        }
        let (protocol, ports) = text.split_once('/').ok_or_else(error)?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(error()),
        };
        let port = |digits: &str| is_plain_number(digits).then(|| digits.parse::<u16>().ok()).flatten();
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => {
                Ok(Self { protocol, ports: PortRange { first, last } })
            }
            _ => Err(error()),
        }
    }
}

impl TryFrom<String> for Service {
    type Error = ServiceError;

    fn try_from(text: String) -> Result<Self, ServiceError> {
        text.parse()
    }
}

impl From<Service> for String {
    fn from(service: Service) -> Self {
        service.to_string()
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Echo => return f.write_str("echo"),
        };
        match self.ports {
            PortRange { first, last } if first == last => write!(f, "{name}/{first}"),
            PortRange { first, last } => write!(f, "{name}/{first}-{last}"),
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How many bits an address of this family has.
pub(crate) const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address as a number.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address of `family`'s family that has this number; bits beyond the family's are cut off.
pub(crate) fn with_number(family: IpAddr, number: u128) -> IpAddr {
    match family {
        IpAddr::V4(_) => {
            Ipv4Addr::from_bits(u32::try_from(number & u128::from(u32::MAX)).unwrap_or(u32::MAX)).into()
        }
        IpAddr::V6(_) => Ipv6Addr::from_bits(number).into(),
    }
}

fn low_bits(count: u8) -> u128 {
    1_u128.checked_shl(count.into()).map_or(u128::MAX, |bit| bit.wrapping_sub(1))
}
