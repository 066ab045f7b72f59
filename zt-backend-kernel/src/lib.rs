//! The kernel's WireGuard as a gateway's data plane: interfaces, and their peers.
//!
//! What this crate promises:
//!
//! - **Only what is ours.** An [`Interface`] is an index, a name and a public key together. A name that another link has
//!   is never taken over, and what has taken the place of an interface is left alone.
//! - **Nothing half-made.** An interface that could not be set up is deleted again. Its link is down until it is told
//!   otherwise.
//! - **Nothing beyond old and new.** Whatever call fails, no peer has an allowed IP that it neither had nor was to have,
//!   and no prefix moves from one peer to another by the way: that is refused before anything is sent.
//! - **A cut is one message.** To take all allowed IPs from a peer costs one message, no list and no process, whatever
//!   else is under way; additions and removals go a few peers at a time, and a cut passes in between.
//! - **Only whole lists.** What the kernel lists is believed when it arrived in full and did not change meanwhile.
//! - **Nothing hangs.** Each message has a deadline, [`Interface::DEADLINE`]. After it, it is unknown what was done, and
//!   is read before anything is given.
//!
//! ```text
//!  Interface ──► cuts ──────────────────┐ one message at a time
//!      │                                ├──────────────► wireguard-uapi ──► kernel
//!      ├──────► additions, removals ────┘ cuts first                          │
//!      └──────► observe, check ◄──────── whole lists ◄──── netlink ◄──────────┘
//! ```
//!
//! ```no_run
//! # use std::collections::BTreeSet;
//! # use zt_backend_kernel::{Interface, InterfaceConfig, NewPeer};
//! # use zt_core::key::{PrivateKey, PublicKey};
//! # async fn example(private_key: PrivateKey, device: PublicKey) -> Result<(), Box<dyn std::error::Error>> {
//! let netlink = zt_linux::Netlink::open()?;
//! let name = "wg0".parse()?;
//! let config = InterfaceConfig { name, private_key, listen_port: 51820.try_into().ok(), fwmark: None };
//! let interface = Interface::start(&netlink, config).await?;
//! // a packet filter comes here
//! interface.set_up().await?;
//!
//! let allowed_ips = BTreeSet::from(["10.99.0.2/32".parse()?]);
//! interface.add(&[(device, NewPeer { allowed_ips, ..NewPeer::default() })]).await?;
//! // to end its access
//! interface.set_allowed_ips(&[(device, BTreeSet::new())]).await?;
//! interface.remove(&[device].into()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//! - Peers are all that is here: an allowed IP says what a peer may send from, never what it may reach. A gateway needs a
//!   packet filter.
//! - Preshared keys are not set.
//! - Everything is about one network namespace: that of the thread that starts or adopts an interface.

mod wireguard;

pub use wireguard::{
    AdoptError, DumpError, Fault, Interface, InterfaceConfig, InterfaceStatus, Malformed, NewPeer,
    PeerStatus, ReadError, Recovery, Refusal, SetUpError, StartError, WriteError, decode,
};
