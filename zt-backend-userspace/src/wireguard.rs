//! WireGuard itself: the only module that drives gotatun, and the ways round what it does not do by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use gotatun::device::{Device, DeviceBuilder, Peer};
use gotatun::x25519;
use tokio::sync::Mutex;
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::Prefix;

use crate::port::{FromTunnel, IntoTunnel, Screen};
use crate::socket::{Closed, Socket};

/// How long a forced handshake may take; WireGuard's own timers go on after that.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(5);

/// Why WireGuard did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The UDP address could not be bound.
    #[error("the address `{address}` cannot be bound")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// WireGuard itself could not be set up.
    #[error("WireGuard did not start: {0}")]
    WireGuard(String),
}

/// A peer as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PeerConfig {
    /// The prefixes that are routed to it and that it may send from.
    pub(crate) allowed_ips: BTreeSet<Prefix>,
    /// Where it was last heard from or is expected.
    pub(crate) endpoint: Option<SocketAddr>,
}

/// A running WireGuard.
pub(crate) struct WireGuard<S: Screen> {
    device: Device<(Socket, FromTunnel<S>, IntoTunnel<S>)>,
    socket: Socket,
    closed: Mutex<Closed>,
}

impl<S: Screen> WireGuard<S> {
    /// Starts with no peers.
    pub(crate) async fn start(
        private_key: &PrivateKey,
        (socket, closed): (Socket, Closed),
        port: (FromTunnel<S>, IntoTunnel<S>),
    ) -> Result<Self, StartError> {
        let failed = |error: gotatun::device::Error| StartError::WireGuard(error.to_string());
        // without a key, adding a peer would panic
        let device = DeviceBuilder::new()
            .with_udp(socket.clone())
            .with_ip_pair(port.0, port.1)
            .with_private_key(x25519::StaticSecret::from(*private_key.expose_bytes()))
            .build()
            .await
            .map_err(failed)?;
        // built without peers it does not listen, and adding peers does not change that; clearing them does
        device.clear_peers().await.map_err(failed)?;
        Ok(Self { device, socket, closed: Mutex::new(closed) })
    }

    /// Whether it still receives.
    pub(crate) fn is_alive(&self) -> bool {
        !self.socket.has_failed()
    }

    /// Reads back what is configured. `name` tells the key with these bytes.
    pub(crate) async fn peers(
        &self,
        name: impl Fn([u8; 32]) -> Option<PublicKey>,
    ) -> BTreeMap<PublicKey, PeerConfig> {
        let peers = self.device.peers().await;
        let configured = peers.into_iter().filter_map(|stats| {
            let allowed_ips = stats.peer.allowed_ips.iter();
            let allowed_ips =
                allowed_ips.filter_map(|network| Prefix::new(network.ip(), network.prefix()).ok()).collect();
            let key = name(stats.peer.public_key.to_bytes())?;
            Some((key, PeerConfig { allowed_ips, endpoint: stats.peer.endpoint }))
        });
        configured.collect()
    }

    /// Adds peers that are not there yet; says whether none of them was.
    pub(crate) async fn add(&self, peers: &[(PublicKey, PeerConfig)]) -> Result<bool, String> {
        let peers: Vec<Peer> = peers.iter().map(|(key, config)| peer(key, config)).collect();
        self.device.add_peers(peers).await.map_err(|error| error.to_string())
    }

    /// Gives a peer that is there other allowed IPs and, if `endpoint` is given, another endpoint.
    ///
    /// A prefix must be taken from one peer before it is given to another: WireGuard would move it, yet go on listing
    /// it with the first, and move it back when that one is changed.
    pub(crate) async fn change(
        &self,
        key: &PublicKey,
        allowed_ips: &BTreeSet<Prefix>,
        endpoint: Option<SocketAddr>,
    ) -> Result<(), String> {
        let config = peer(key, &PeerConfig { allowed_ips: allowed_ips.clone(), endpoint });
        let changed = self.device.write(async |device| {
            device
                .modify_peer(&config.public_key, |peer| {
                    peer.clear_allowed_ips();
                    peer.add_allowed_ips(config.allowed_ips);
                    if config.endpoint.is_some() {
                        peer.set_endpoint(config.endpoint);
                    }
                })
                .await
        });
        changed.await.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Removes a peer with its session, if it is there.
    pub(crate) async fn remove(&self, key: &PublicKey) -> Result<(), String> {
        let removed = self.device.remove_peer(&x25519::PublicKey::from(*key.as_bytes())).await;
        removed.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Forgets the session with a peer, if it is there. Cancelled, it has done so or changed nothing.
    pub(crate) async fn renew(&self, key: &PublicKey, config: &PeerConfig) -> Result<(), String> {
        let peer = peer(key, config);
        let renewed = self.device.write(async |device| {
            if device.remove_peer(&peer.public_key).await {
                device.add_peer(peer);
            }
        });
        renewed.await.map_err(|error| error.to_string())
    }

    /// Starts a handshake with a peer whose endpoint is known, and waits for it for five seconds at most.
    pub(crate) async fn shake_hands(&self, key: &PublicKey) {
        let key = x25519::PublicKey::from(*key.as_bytes());
        let _ = tokio::time::timeout(HANDSHAKE_PATIENCE, self.device.force_handshake(&key)).await;
    }

    /// Whether its stop has begun.
    pub(crate) fn is_closed(&self) -> bool {
        self.socket.is_closed()
    }

    /// Stops for good: no packet is sent or received after it returns, and its address is free. Cancelled, it can be
    /// gone on with.
    pub(crate) async fn stop(&self) {
        self.socket.close();
        self.device.suspend().await;
        self.closed.lock().await.wait().await;
    }
}

fn peer(key: &PublicKey, config: &PeerConfig) -> Peer {
    let networks = config.allowed_ips.iter().filter_map(|prefix| prefix.to_string().parse().ok());
    let mut peer = Peer::new(x25519::PublicKey::from(*key.as_bytes())).with_allowed_ips(networks);
    peer.endpoint = config.endpoint;
    peer
}
