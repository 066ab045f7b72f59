//! The device's side of a tunnel, inside this process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Mutex;
use zt_core::desired::DeviceRoutes;
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::Prefix;

use crate::port::{self, PacketPort, Unscreened};
use crate::socket::Socket;
use crate::underlay::Underlay;
use crate::wireguard::{PeerConfig, StartError, WireGuard};

/// What a tunnel is started with.
#[derive(Debug)]
pub struct TunnelConfig {
    /// The device's WireGuard key.
    pub private_key: PrivateKey,
    /// What carries its datagrams, and where it listens; see [`Tunnel::local_address`].
    pub underlay: Underlay,
}

/// Why routes were not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoutesError {
    /// A gateway has the device's own key. Nothing has changed.
    #[error("a gateway has the device's own key")]
    OwnKey,
    /// Two gateways have the same key. Nothing has changed.
    #[error("two gateways have the key `{0}`")]
    SameKey(PublicKey),
    /// Two gateways are to have the same prefix, which WireGuard routes to one peer only. Nothing has changed.
    #[error("two gateways route `{0}`")]
    SamePrefix(Prefix),
    /// The tunnel was stopped, or its socket failed.
    #[error("the tunnel is gone")]
    Gone,
}

/// A device's end of WireGuard tunnels to any number of gateways. It has no routes at first.
///
/// Its port takes whatever packet it is given, under any source address, and sends it to the gateway whose allowed
/// IPs hold the destination: what a device may do is for gateways to enforce.
pub struct Tunnel {
    public_key: PublicKey,
    local_address: SocketAddr,
    running: Mutex<Option<Running>>,
}

struct Running {
    wireguard: Arc<WireGuard<Unscreened>>,
    /// What WireGuard has; none while that is being changed, and so after a change that failed or was cancelled.
    routes: Option<Routes>,
}

type Routes = BTreeMap<PublicKey, PeerConfig>;

impl Tunnel {
    /// Starts a tunnel; the port is for the device's own packets.
    ///
    /// To be called within a tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// If the address cannot be bound or WireGuard does not start. Nothing runs then.
    pub async fn start(config: TunnelConfig) -> Result<(Self, PacketPort), StartError> {
        let TunnelConfig { private_key, underlay } = config;
        let (socket, closed) = Socket::open(underlay)?;
        let local_address = socket.local_address();
        let (port, from_tunnel, into_tunnel) = port::open(&Arc::new(Unscreened));
        let wireguard = WireGuard::start(&private_key, (socket, closed), (from_tunnel, into_tunnel)).await?;
        let running = Running { wireguard: Arc::new(wireguard), routes: Some(Routes::new()) };
        let public_key = private_key.public_key();
        Ok((Self { public_key, local_address, running: Mutex::new(Some(running)) }, port))
    }

    /// The key by which gateways know the device.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Its address in the underlay.
    #[must_use]
    pub const fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Makes these the routes, without touching gateways for which nothing changes.
    ///
    /// Prefixes that change hands are taken from one gateway before they are given to the other. The device's
    /// addresses are not looked at: they are the business of whoever makes its packets.
    ///
    /// # Errors
    /// If the routes contradict each other or the tunnel is gone; see [`RoutesError`] for the state after that.
    pub async fn apply_routes(&self, routes: &DeviceRoutes) -> Result<(), RoutesError> {
        let wanted = self.check(routes)?;
        running(&mut *self.running.lock().await)?.apply(wanted).await
    }

    /// Forgets the WireGuard session with a gateway, shakes hands anew, and waits for that for five seconds at most.
    ///
    /// For when a gateway has forgotten its side of the session, as by a restart, and cannot begin because it does not
    /// know where the device is: by itself WireGuard finds that out after some fifteen seconds. Without a route to
    /// that gateway it does nothing.
    ///
    /// # Errors
    /// If the tunnel is gone.
    pub async fn reconnect(&self, gateway: &PublicKey) -> Result<(), RoutesError> {
        let wireguard = {
            let mut lock = self.running.lock().await;
            let running = running(&mut lock)?;
            running.forget_session(gateway).await?;
            Arc::clone(&running.wireguard)
        };
        wireguard.shake_hands(gateway).await;
        Ok(())
    }

    /// Ends everything: no packet comes or goes any more. The address is free when it returns.
    ///
    /// Dropped before that, it may be called again.
    pub async fn stop(&self) {
        let mut stopping = self.running.lock().await;
        if let Some(running) = stopping.as_ref() {
            running.wireguard.stop().await;
        }
        *stopping = None;
    }

    fn check(&self, routes: &DeviceRoutes) -> Result<Routes, RoutesError> {
        let mut wanted = Routes::new();
        let mut prefixes = BTreeSet::new();
        for route in routes.gateways.values() {
            if route.public_key == self.public_key {
                return Err(RoutesError::OwnKey);
            }
            if let Some(twice) = route.allowed_ips.iter().find(|prefix| !prefixes.insert(**prefix)) {
                return Err(RoutesError::SamePrefix(*twice));
            }
            let (allowed_ips, endpoint) = (route.allowed_ips.clone(), Some(route.endpoint));
            if wanted.insert(route.public_key, PeerConfig { allowed_ips, endpoint }).is_some() {
                return Err(RoutesError::SameKey(route.public_key));
            }
        }
        Ok(wanted)
    }
}

/// What runs, unless its stop has begun.
fn running(running: &mut Option<Running>) -> Result<&mut Running, RoutesError> {
    running.as_mut().filter(|running| !running.wireguard.is_closed()).ok_or(RoutesError::Gone)
}

impl Running {
    async fn take_routes(&mut self) -> Routes {
        match self.routes.take() {
            Some(routes) => routes,
            None => self.wireguard.peers(|bytes| PublicKey::from_bytes(bytes).ok()).await,
        }
    }

    async fn forget_session(&mut self, key: &PublicKey) -> Result<(), RoutesError> {
        let routes = self.take_routes().await;
        if let Some(route) = routes.get(key) {
            self.wireguard.renew(key, route).await.map_err(|_| RoutesError::Gone)?;
        }
        self.routes = Some(routes);
        Ok(())
    }

    async fn apply(&mut self, wanted: Routes) -> Result<(), RoutesError> {
        let present = self.take_routes().await;
        self.change(&present, &wanted).await.map_err(|_| RoutesError::Gone)?;
        self.routes = Some(wanted);
        if self.wireguard.is_alive() { Ok(()) } else { Err(RoutesError::Gone) }
    }

    async fn change(&self, present: &Routes, wanted: &Routes) -> Result<(), String> {
        for (key, present) in present {
            match wanted.get(key) {
                None => self.wireguard.remove(key).await?,
                Some(route) if !present.allowed_ips.is_subset(&route.allowed_ips) => {
                    let kept: BTreeSet<Prefix> =
                        present.allowed_ips.intersection(&route.allowed_ips).copied().collect();
                    self.wireguard.change(key, &kept, None).await?;
                }
                Some(_) => {}
            }
        }
        for (key, route) in wanted {
            match present.get(key) {
                Some(present)
                    if present.endpoint == route.endpoint
                        && route.allowed_ips.is_subset(&present.allowed_ips) => {}
                Some(present) => {
                    let endpoint = route.endpoint.filter(|_| present.endpoint != route.endpoint);
                    self.wireguard.change(key, &route.allowed_ips, endpoint).await?;
                }
                None => {
                    self.wireguard.add(&[(*key, route.clone())]).await?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { public_key, local_address, .. } = self;
        f.debug_struct("Tunnel")
            .field("public_key", public_key)
            .field("local_address", local_address)
            .finish_non_exhaustive()
    }
}
