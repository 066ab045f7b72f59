//! WireGuard inside this process, with the packet filter in the data path: no root, no TUN device, no kernel module.
//!
//! What this crate promises, whatever the devices do:
//!
//! - **Closed at first.** A gateway with nothing installed lets nothing through; so does one whose lease is over, one
//!   that was stopped, and one in which a thread died.
//! - **Every packet, both ways.** Each packet is judged by what is installed at that instant, never by what passed
//!   before. When [`Backend::apply`](zt_core::backend::Backend::apply) returns, no packet that is sent later passes
//!   by what it cut.
//! - **Ends by itself.** The gate, every session and what was granted for less end on the host's boot clock, which
//!   counts suspend, without anybody doing anything.
//! - **Nothing is guessed.** Routing headers and whatever is not understood in full are dropped. Fragments wait until all
//!   of their packet is there, and are judged by it.
//!
//! The two types that matter are [`Gateway`], a [`Backend`](zt_core::backend::Backend) that plans are applied to, and
//! [`Tunnel`], the device's end of it. Both have a [`PacketPort`], where whole IP packets go in and come out:
//!
//! ```text
//!  device's packets                                              packets of the network behind the gateway
//!        │ PacketPort                                                   PacketPort │
//!     Tunnel ── WireGuard ══ UDP ══ WireGuard ── source is the peer's? ── Filter ──┘ Gateway
//! ```
//!
//! A caller chooses what is on either side: inner packets go by channels, which [`carry`] connects with a TUN device, and
//! WireGuard's own datagrams by UDP or by channels ([`Underlay`]).
//!
//! One device, one resource, one packet:
//!
//! ```
//! # use std::sync::Arc;
//! # use zt_backend_userspace::clock::HostClock;
//! # use zt_backend_userspace::{Gateway, GatewayConfig, Tunnel, TunnelConfig, Underlay};
//! # use zt_core::backend::Backend as _;
//! # use zt_core::desired::{Cell, DeviceRoutes, GatewayRoute, Pair, PairEnd, Source};
//! # use zt_core::id::{GatewayId, Generation, RegionId, SessionEpoch, SessionId};
//! # use zt_core::key::PrivateKey;
//! # use zt_core::net::{Prefix, PortRange, Protocol};
//! # use zt_core::plan::{Add, Plan, Step};
//! # use zt_core::time::Timestamp;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let underlay = Underlay::Udp("127.0.0.1:0".parse()?);
//! let private_key = PrivateKey::from_bytes([1; 32]); // 32 random bytes, in earnest
//! let config = GatewayConfig { private_key, underlay, clock: Arc::new(HostClock) };
//! let (gateway, mut network) = Gateway::start(config).await?;
//! let private_key = PrivateKey::from_bytes([2; 32]);
//! let underlay = Underlay::Udp("127.0.0.1:0".parse()?);
//! let (tunnel, device) = Tunnel::start(TunnelConfig { private_key, underlay }).await?;
//!
//! // the device's routes
//! let source = "10.99.0.2".parse()?;
//! let resource: Prefix = "10.100.5.10".parse()?;
//! let (public_key, endpoint) = (gateway.public_key(), gateway.local_address());
//! let route = GatewayRoute { public_key, endpoint, allowed_ips: [resource].into() };
//! let gateways = [(GatewayId::new("edge")?, route)].into();
//! tunnel.apply_routes(&DeviceRoutes { addresses: [source].into(), gateways }).await?;
//!
//! // what the gateway lets through, for a minute; as a rule `zt_core::plan::plan` makes these steps
//! let (now, until) = (Timestamp::from_millis(0), Timestamp::from_millis(60_000));
//! let session = Source { session: SessionId(1), epoch: SessionEpoch(0), until };
//! let region = RegionId(1);
//! let cell = Cell { addresses: resource.range(), protocol: Protocol::Udp, ports: PortRange::single(53) };
//! let additions = [
//!     Add::Peer(tunnel.public_key()),
//!     Add::AllowedIp(tunnel.public_key(), Prefix::host(source)),
//!     Add::Cell(cell, region),
//!     Add::Pair(Pair { source, region }, PairEnd::WithSource),
//!     Add::Source(source, session),
//!     Add::Gate(until),
//! ];
//! let steps = additions.into_iter().map(Step::Add).collect();
//! gateway.apply(&Plan { generation: Generation(1), now, steps }).await?;
//!
//! // UDP from 10.99.0.2:40000 to 10.100.5.10:53
//! let header = [0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 99, 0, 2, 10, 100, 5, 10];
//! let packet = [&header[..], &[0x9c, 0x40, 0, 53, 0, 8, 0, 0]].concat();
//! device.sender.send(packet.clone()).await?;
//! assert_eq!(network.receiver.recv().await, Some(packet));
//! # Ok(())
//! # }
//! ```
//!
//! # WireGuard in another process
//! [`uapi`] speaks to wireguard-go and its like over their UNIX socket: [`uapi::PeerWriter`] changes peers, reads back
//! what it wrote and refuses what WireGuard would silently get wrong. It is one half of a backend. As long as such a
//! host has no packet filter and no lease, [`uapi::UapiGateway`] takes access away there and refuses every grant.
//!
//! # Limits
//! - Packets that passed before a cut may still come out of queues after it: those of a [`PacketPort`], and
//!   WireGuard's own on the way to a device.
//! - WireGuard checks a packet's source against the peer, then queues it, up to 4,000 packets deep, before the filter
//!   sees it. An address that is taken from one session and given to another at once may meet such packets of the
//!   first; the controller lets an address rest before it gives it away again.
//!
//! # Features
//! - `testing`: a gateway without its filter, to show what the filter is for, a network in memory, and labs for the
//!   conformance suite.

pub mod clock;
pub mod filter;
mod gateway;
pub mod packet;
mod port;
mod socket;
#[cfg(feature = "testing")]
pub mod testing;
mod tun;
mod tunnel;
pub mod uapi;
mod underlay;
mod wireguard;

pub use self::gateway::{Gateway, GatewayConfig};
pub use self::port::{PacketPort, TUNNEL_MTU};
pub use self::tun::{CarryEnd, carry};
pub use self::tunnel::{RoutesError, Tunnel, TunnelConfig};
pub use self::underlay::{Datagram, DatagramPort, Underlay};
pub use self::wireguard::StartError;
