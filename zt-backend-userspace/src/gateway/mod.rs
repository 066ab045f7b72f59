//! The gateway: WireGuard for many devices, with the filter between it and the network behind it.

mod apply;
mod peers;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use zt_core::backend::{Backend, BackendError};
use zt_core::desired::Peer;
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::plan::{ObservedState, Phase, Plan};
use zt_core::time::Anchor;
use zt_linux::Endpoints;

use self::apply::Running;
use self::peers::Peers;
use crate::clock::BootClock;
use crate::filter::{Counts, Filter, Flows};
use crate::port::{self, PacketPort};
use crate::socket::Socket;
use crate::underlay::Underlay;
use crate::wireguard::{StartError, WireGuard};

/// What a gateway is started with.
#[derive(Debug)]
pub struct GatewayConfig {
    /// Its WireGuard key.
    pub private_key: PrivateKey,
    /// What carries its datagrams, and where it listens; see [`Gateway::local_address`].
    pub underlay: Underlay,
    /// The clock that ends leases and sessions.
    pub clock: Arc<dyn BootClock>,
}

/// A WireGuard gateway inside this process. Nothing is installed at first, so nothing passes.
///
/// Dropped, it ends like by [`Gateway::stop`], only that the socket is closed a moment later.
pub struct Gateway {
    public_key: PublicKey,
    local_address: SocketAddr,
    clock: Arc<dyn BootClock>,
    filter: Arc<Filter>,
    running: Mutex<Option<Running>>,
}

impl Gateway {
    /// Starts a gateway; the port is the network behind it.
    ///
    /// To be called within a tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// If the address cannot be bound or WireGuard does not start. Nothing runs then.
    pub async fn start(config: GatewayConfig) -> Result<(Self, PacketPort), StartError> {
        let filter = Filter::new(Arc::clone(&config.clock));
        Self::start_with(config, filter).await
    }

    /// Starts a gateway that lets every packet of every peer through, whatever is installed.
    ///
    /// # Security
    /// For tests that show that the filter is what protects: such a gateway protects nothing.
    ///
    /// # Errors
    /// As for [`Gateway::start`].
    #[cfg(feature = "testing")]
    pub async fn dangerously_start_without_filter(
        config: GatewayConfig,
    ) -> Result<(Self, PacketPort), StartError> {
        let filter = Filter::dangerously_accept_everything(Arc::clone(&config.clock));
        Self::start_with(config, filter).await
    }

    async fn start_with(config: GatewayConfig, filter: Filter) -> Result<(Self, PacketPort), StartError> {
        let GatewayConfig { private_key, underlay, clock } = config;
        let (socket, closed) = Socket::open(underlay)?;
        let local_address = socket.local_address();
        let filter = Arc::new(filter);
        let (port, from_tunnel, into_tunnel) = port::open(&filter);
        let wireguard = WireGuard::start(&private_key, (socket, closed), (from_tunnel, into_tunnel)).await?;
        let public_key = private_key.public_key();
        let running = Running {
            own: public_key,
            filter: Arc::clone(&filter),
            wireguard: Arc::new(wireguard),
            peers: Some(Peers::default()),
            names: BTreeMap::new(),
            left: Endpoints::default(),
            handshakes: JoinSet::new(),
        };
        let running = Mutex::new(Some(running));
        Ok((Self { public_key, local_address, clock, filter, running }, port))
    }

    /// The key by which devices know it.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// What became of the packets so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.filter.counts()
    }

    /// What became of the flows so far: those that live, and those that have ended since this was last asked for.
    ///
    /// It takes time in proportion to the flows, but never holds up packets for long.
    #[must_use]
    pub fn flows(&self) -> Flows {
        self.filter.flows()
    }

    /// Ends everything: nothing passes any more, and the backend is gone. The address is free when it returns.
    ///
    /// Dropped before that, it may be called again.
    pub async fn stop(&self) {
        self.filter.stop();
        let mut stopping = self.running.lock().await;
        if let Some(running) = stopping.as_mut() {
            running.wireguard.stop().await;
            running.handshakes.shutdown().await;
        }
        *stopping = None;
    }

    /// What runs, unless its stop has begun.
    fn running<'a>(&self, running: &'a mut Option<Running>) -> Result<&'a mut Running, BackendError> {
        let running = running.as_mut().filter(|_| !self.filter.is_stopped());
        running.ok_or_else(|| BackendError::Gone("it was stopped".into()))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.filter.stop();
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { public_key, local_address, .. } = self;
        f.debug_struct("Gateway")
            .field("public_key", public_key)
            .field("local_address", local_address)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for Gateway {
    /// Peers are read back from WireGuard, the rest from the filter.
    ///
    /// The gate is [`Gate::Closed`](zt_core::plan::Gate::Closed) once its end has come. Sources and pairs whose
    /// end has come let nothing through but are listed until they are cut.
    async fn observe(&self) -> Result<ObservedState, BackendError> {
        let mut lock = self.running.lock().await;
        let running = self.running(&mut lock)?;
        running.check()?;
        let peers = running.read().await;
        let (gate, mut elements) = self.filter.observe();
        elements.peers =
            peers.into_iter().map(|(key, config)| (key, Peer { allowed_ips: config.allowed_ips })).collect();
        Ok(ObservedState { gate, elements })
    }

    /// Ends count from the moment of the call: what the plan says is left at its `now` is left then. But one that takes
    /// the place of an end that has not come is no further from that than the controller says, so that plans that come
    /// late, twice or after later ones prolong nothing. Of two ends of the gate, of one session's source, or of a pair,
    /// the later one holds; only a cut shortens. A gate that has ended may be opened until any instant.
    ///
    /// The plan's first cuts are effective at once, even while another plan is being carried out. Cells that it takes
    /// away give way in one instant to those that it puts in, before peers are changed: what is granted before and after
    /// is reached meanwhile. Where that cannot be, the old cells go at once and the new ones come later: if the plan has
    /// to wait for another one or follows one that failed, or takes an address from a peer while its session goes on.
    ///
    /// Refused are peers that are present, the gateway's own key, prefixes that overlap another peer's (INV-G1), and
    /// cells that overlap or are no boxes.
    async fn apply(&self, plan: &Plan) -> Result<(), BackendError> {
        let anchor = Anchor { at: plan.now, boot: self.clock.now() };
        let phases: Vec<Phase<'_>> = plan.phases().collect();
        let mut lock = match self.running.try_lock() {
            Ok(lock) => lock,
            Err(_) => {
                if let Some(first) = phases.first() {
                    self.filter.cut(&first.cuts, anchor);
                }
                self.running.lock().await
            }
        };
        let running = self.running(&mut lock)?;
        for phase in &phases {
            running.carry_out(phase, anchor).await?;
        }
        Ok(())
    }
}
