//! Generic netlink, as much of it as WireGuard needs: framing, attributes, and a socket that can be made up.

mod attributes;
mod message;
mod socket;

pub(crate) use self::attributes::{Attribute, attributes};
pub(crate) use self::message::{Body, DUMP_INTERRUPTED, Kind, messages, request};
pub(crate) use self::socket::{Connect, KernelSocket, Wire};

/// Sends a request to the family of generic netlink families (`GENL_ID_CTRL`).
pub(crate) const CONTROL: u16 = 0x10;
