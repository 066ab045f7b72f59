//! Address prefixes, in strict notation.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{AddressRange, bits, is_plain_number, number, with_number};

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

fn low_bits(count: u8) -> u128 {
    1_u128.checked_shl(count.into()).map_or(u128::MAX, |bit| bit.wrapping_sub(1))
}
