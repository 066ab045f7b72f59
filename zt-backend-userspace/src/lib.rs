//! WireGuard inside this process.

pub mod clock;
pub mod filter;
mod gateway;
pub mod packet;
mod port;
mod socket;
mod tunnel;
mod wireguard;

pub use self::gateway::{Gateway, GatewayConfig};
pub use self::port::{PacketPort, TUNNEL_MTU};
pub use self::tunnel::{RoutesError, Tunnel, TunnelConfig};
pub use self::wireguard::StartError;
