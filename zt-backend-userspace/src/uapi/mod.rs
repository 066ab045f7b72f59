//! WireGuard in another process: its peers, over the UNIX socket that wireguard-go and its like open.
//!
//! The protocol is WireGuard's [cross-platform userspace interface]: lines of `key=value`, a request and its reply
//! ended by an empty line. [`PeerWriter`] adds, changes and removes peers, and reads back what it wrote.
//! [`UapiGateway`] is a backend made of a peer writer alone: it takes access away, and refuses every grant, since
//! nothing on such a host looks at destinations or ends access by itself. [`UapiPeers`] are for hosts with the kernel's
//! filter: `zt_linux::Gateway` joins both, and grants.
//!
//! The codec is our own. `wireguard-uapi`'s waits without a deadline and reads lines without a bound, fails on keys
//! that it does not know, panics if a reply has peers but no `listen_port` (which wireguard-go leaves out until it
//! listens), and prints private keys with `Debug`.
//!
//! Every request has a connection of its own: wireguard-go may read on beyond the end of a request, and a late answer
//! to one request can then not be taken for the answer to another. A request has at most [`MAX_REQUEST`] bytes, a
//! reply at most [`MAX_REPLY`], a line of it at most [`MAX_LINE`].
//!
//! Tried with wireguard-go and gotatun. boringtun's own `Device` can be read; it does not know `update_only`, so that
//! changes of peers that are there end in `EINVAL`, with nothing done.
//!
//! # Security
//! A reply holds the private key and the preshared keys. Of the private key only its public key is kept, of a
//! preshared key only that there is one; neither is in an error or in `Debug`, and the buffers are wiped.
//!
//! # Limits
//! The socket is whoever owns its path: point it at a folder that only root can write to. Others may change the same
//! interface at the same time; what they add is seen when it is read back, what they do afterwards is not.
//!
//! A peer with a key or a prefix that no device can have (of low order, IPv4-mapped) makes a reply that cannot be used.
//! While somebody keeps one there, peers can be cut off and no more.
//!
//! gotatun changes a peer by making it anew, so that its WireGuard session ends.
//!
//! [cross-platform userspace interface]: https://www.wireguard.com/xplatform/

mod change;
mod decode;
mod encode;
mod errno;
mod gateway;
mod hex;
mod interface;
mod key;
mod lines;
mod overlap;
mod peers;
mod reading;
mod reply;
mod socket;
mod value;
mod writer;

pub use self::change::{Change, NewPeer, Refusal};
pub use self::decode::{decode, decode_acknowledgement};
pub use self::encode::{MAX_REQUEST, requests};
pub use self::errno::Errno;
pub use self::gateway::UapiGateway;
pub use self::interface::{Interface, PeerStatus};
pub use self::lines::{MAX_LINE, MAX_REPLY};
pub use self::peers::UapiPeers;
pub use self::reply::ReplyError;
pub use self::socket::{DEFAULT_DEADLINE, SocketError, UapiSocket};
pub use self::writer::{PeerWriter, WriteError};
