//! How large the packets of a link may be.

use std::fmt;

/// Why a number is no MTU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an MTU of {0} bytes is not between 1280 and 65535")]
pub struct MtuError(u32);

/// The greatest IP packet that a link carries, in bytes, header included: 1,280 to 65,535.
///
/// With less than 1,280 the kernel would take IPv6 off the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mtu(u16);

impl Mtu {
    /// The least that IPv6 allows.
    pub const MIN: Self = Self(1_280);
    /// What WireGuard leaves of an Ethernet's 1,500 bytes.
    pub const TUNNEL: Self = Self(1_420);
    /// The greatest IP packet there is.
    pub const MAX: Self = Self(u16::MAX);

    /// Makes an MTU of a number of bytes.
    ///
    /// # Errors
    /// If it is below 1,280 or above 65,535.
    pub fn new(bytes: u32) -> Result<Self, MtuError> {
        let mtu = u16::try_from(bytes).map(Self).map_err(|_| MtuError(bytes))?;
        if mtu < Self::MIN { Err(MtuError(bytes)) } else { Ok(mtu) }
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u16 {
        self.0
    }
}

impl Default for Mtu {
    /// [`Mtu::TUNNEL`].
    fn default() -> Self {
        Self::TUNNEL
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
