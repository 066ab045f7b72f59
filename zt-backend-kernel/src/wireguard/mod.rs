//! The kernel's WireGuard: an interface, and its peers.
//!
//! Peers are changed through `wireguard-uapi`; a device is read, and given its key, over netlink sockets of our own.
//! `wireguard-uapi`'s reading panics when peers change meanwhile, counts half a list as whole and takes nothing for an
//! error; its messages stay in memory with the private key in them. Nor do attributes go through
//! `netlink-packet-wireguard`, which panics on an empty prefix length and keeps copies of all keys; its encoder is the
//! other half of our tests.

mod batch;
mod device;
mod dump;
mod error;
mod fault;
mod interface;
mod malformed;
mod netlink;
mod pace;
mod peers;
mod reader;
mod status;
#[cfg(test)]
mod tests;
mod worker;
mod writer;

pub use self::dump::{DumpError, decode};
pub use self::error::{AdoptError, ReadError, SetUpError, StartError, WriteError};
pub use self::fault::{Fault, Recovery};
pub use self::interface::{Interface, InterfaceConfig};
pub use self::malformed::Malformed;
pub use self::peers::{NewPeer, Refusal};
pub use self::status::{InterfaceStatus, PeerStatus};
