//! Linux plumbing that gateways and devices need: TUN devices and WireGuard links, their addresses and routes, and the
//! packet filter of gateways whose WireGuard is not in their process.
//!
//! What this crate promises:
//!
//! - **Only what is ours.** Addresses and routes that this crate makes carry a number of their own, [`PROTOCOL`]. What
//!   does not carry it is never removed, and a device or name that somebody else has is never taken over.
//! - **Only this link.** A [`Link`] is an index and a name together. When the link was deleted, made again or renamed,
//!   every operation fails with [`LinkError::Gone`], and what has its name by then is left alone.
//! - **Only what is missing.** [`Link::apply`] observes, then changes the difference: the same again changes nothing, and
//!   the returned [`Changes`] say so.
//! - **Only whole lists.** What the kernel lists is believed when it arrived in full and did not change meanwhile;
//!   otherwise it is asked for again, and in the end an error.
//! - **Closed.** A [`Filter`] lets nothing through that it was not told to, and nothing at all without its table. What
//!   it lets through ends by the kernel's clock.
//! - **Nothing hangs.** Each request to the kernel has a deadline, [`Netlink::DEADLINE`].
//!
//! No process is started, and nothing is decided here: what a link is to have is for the caller to say.
//!
//! ```text
//!                    Netlink: one socket, one request at a time
//!                       │
//!  LinkConfig ──► Link::apply ──► addresses, routes ──► kernel
//!                       │                                 ▲ │ whole IP packets
//!  Tun::create ──► Tun::link        Tun::send ────────────┘ └──► Tun::receive
//! ```
//!
//! A device with an address, a route and a packet. All of it but the first line needs CAP_NET_ADMIN:
//!
//! ```no_run
//! # use zt_linux::{LinkConfig, LinkName, Mtu, Netlink, Route, Tun};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let netlink = Netlink::open()?;
//! let tun = Tun::create(&netlink, Some(&LinkName::new("zt0")?), Mtu::TUNNEL).await?;
//! tun.link().set_up().await?;
//!
//! let addresses = ["10.98.0.1".parse()?, "fd98::1".parse()?].into();
//! let routes = [Route::new("10.100.5.0/24".parse()?)].into();
//! let wanted = LinkConfig { addresses, routes };
//! let changes = tun.link().apply(&wanted).await?;
//! assert_eq!(changes.total(), 3);
//! assert_eq!(tun.link().apply(&wanted).await?.total(), 0);
//!
//! // what this host sends to 10.100.5.0/24 comes out here
//! let packet = tun.receive().await?;
//! println!("{} bytes", packet.len());
//! # Ok(())
//! # } // the device is dropped, and its link is gone with all that it had
//! ```
//!
//! # Limits
//! - Everything is about one network namespace: that of the thread that called [`Netlink::open`], which must be that of
//!   the thread that makes a [`Tun`].
//! - Kernels before 5.18 do not keep who made an address. There, addresses that are no longer wanted stay.
//! - From a link that loses its last IPv4 address, the kernel takes all IPv4 routes. [`Link::apply`] adds those that are
//!   wanted again; those of others are lost.
//! - Routes that `rtnetlink` cannot read are not listed; those that this crate makes are no such routes.
//! - Where IPv6 routes of other links are removed without a pause, a long list of routes may never be read whole.

mod filter;
mod gateway;
mod link;
mod mtu;
mod name;
mod netlink;
mod nftables;
#[cfg(feature = "testing")]
pub mod testing;
mod tun;

pub use self::filter::{
    Counts, Filter, FilterConfig, FilterError, Healed, InstallError, MarkBit, Reason, Reserved, Underlay,
};
pub use self::gateway::{Endpoints, Gateway, PeerAdditions, Peers};
pub use self::link::{
    ApplyError, Changes, CreateWireGuardError, DeleteWireGuardError, FindError, Link, LinkConfig, LinkError,
    LinkState, Observed, ObservedAddress, ObservedRoute, PROTOCOL, Route, Table,
};
pub use self::mtu::{Mtu, MtuError};
pub use self::name::{LinkName, LinkNameError};
pub use self::netlink::{Netlink, NetlinkError, OpenError};
pub use self::tun::{CreateError, PacketError, Tun};
