//! Protocols with their ports.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::is_plain_number;

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
