//! Devices, their addresses in the tunnel, and the facts we hold of their state.

mod facts;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, FactName};
use crate::identity::Subject;
use crate::key::PublicKey;
use crate::time::Timestamp;

pub use facts::{Facts, Finding, HeldFact};

/// A device that may hold a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its name.
    pub id: DeviceId,
    /// The only person who may hold a session on it.
    pub owner: Subject,
    /// Which WireGuard key it may come with.
    pub key: KeyBinding,
    /// Its addresses in the tunnel.
    pub addresses: DeviceAddresses,
    /// What was last reported of it.
    pub facts: Facts,
}

/// Which WireGuard key a device may come with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyBinding {
    /// Any key that no other device ever had; it is named and proven at login.
    AtLogin,
    /// Just this one.
    Pinned(PublicKey),
}

/// The addresses of a device in the tunnel, at most one of each family; none before its first session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceAddresses {
    /// The IPv4 address.
    pub v4: Option<Ipv4Addr>,
    /// The IPv6 address.
    pub v6: Option<Ipv6Addr>,
}

impl DeviceAddresses {
    /// The addresses there are, IPv4 first.
    pub fn iter(self) -> impl Iterator<Item = IpAddr> {
        self.v4.map(IpAddr::V4).into_iter().chain(self.v6.map(IpAddr::V6))
    }
}

/// The most facts that one report may have.
pub const MAX_REPORT_FACTS: usize = 256;

/// The most bytes that a fact's text or its source may have.
pub const MAX_FACT_BYTES: usize = 1_024;

/// One thing that was found out about a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostureFact {
    /// What was looked at.
    pub name: FactName,
    /// What came of it.
    pub status: FactStatus,
    /// The value found; the kind's zero value unless the status is pass or fail.
    pub value: FactValue,
    /// Where the value was found, such as `/etc/os-release`, or why there is none.
    pub source: String,
    /// How hard it would be to fake.
    pub tier: Tier,
    /// When it was found.
    pub observed_at: Timestamp,
}

/// What came of looking at one thing on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactStatus {
    /// It is as it should be.
    Pass,
    /// It is not.
    Fail,
    /// It could not be told, or is too old to be believed.
    Unknown,
    /// The platform cannot have it.
    Unsupported,
}

impl FactStatus {
    /// The word that policies compare with.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::Unsupported => "unsupported",
        }
    }
}

/// The value of a fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FactValue {
    /// True or false.
    Bool(bool),
    /// A whole number, such as a count of days.
    Long(i64),
    /// A text, such as a version.
    String(String),
}

/// The kind of value that a fact has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// [`FactValue::Bool`].
    Bool,
    /// [`FactValue::Long`].
    Long,
    /// [`FactValue::String`].
    String,
}

impl FactKind {
    /// The value that stands where none is known: false, 0 or the empty text.
    #[must_use]
    pub const fn zero(self) -> FactValue {
        match self {
            Self::Bool => FactValue::Bool(false),
            Self::Long => FactValue::Long(0),
            Self::String => FactValue::String(String::new()),
        }
    }
}

impl fmt::Display for FactValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Long(value) => value.fmt(f),
            Self::String(value) => write!(f, "{value:?}"),
        }
    }
}

impl FactValue {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> FactKind {
        match self {
            Self::Bool(_) => FactKind::Bool,
            Self::Long(_) => FactKind::Long,
            Self::String(_) => FactKind::String,
        }
    }
}

/// How hard a fact would be to fake; a higher tier is harder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Tier 0: the device says so.
    SelfAsserted,
    /// Tier 1: signed with the device's key.
    DeviceSigned,
    /// Tier 2: signed with a key that a TPM holds.
    TpmHeld,
    /// Tier 3: a TPM quote over platform registers.
    Quoted,
    /// Tier 4: a third party says so, such as an MDM or EDR.
    ThirdParty,
}

impl Tier {
    /// The number that policies compare with.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::SelfAsserted => 0,
            Self::DeviceSigned => 1,
            Self::TpmHeld => 2,
            Self::Quoted => 3,
            Self::ThirdParty => 4,
        }
    }
}
