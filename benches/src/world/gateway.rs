//! A gateway in this process with many peers, each with a session and some grants.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use zt_backend_userspace::clock::ManualClock;
use zt_backend_userspace::testing::MemoryNetwork;
use zt_backend_userspace::{Gateway, GatewayConfig, PacketPort, Tunnel, TunnelConfig};
use zt_core::backend::Backend as _;
use zt_core::desired::{Cell, DeviceRoutes, GatewayRoute, Pair, PairEnd, Source};
use zt_core::id::{GatewayId, Generation, RegionId, SessionEpoch, SessionId};
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::{PortRange, Prefix, Protocol};
use zt_core::plan::{Add, Cut, Destroy, Plan, Step};
use zt_core::time::{BootInstant, Timestamp};

use crate::Error;

/// The controller's time in these worlds, which stands still.
pub const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

/// The one resource behind the gateway, and its port.
pub const RESOURCE: ([u8; 4], u16) = ([10, 200, 0, 1], 5_000);

/// Where the gateway is.
const GATEWAY: ([u8; 4], u16) = ([192, 0, 2, 1], 51_820);

/// A peer and what belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Its key.
    pub key: PublicKey,
    /// Its address.
    pub address: IpAddr,
    session: SessionId,
}

impl Member {
    /// The member of this number, up to four million.
    #[must_use]
    pub fn new(number: u32) -> Self {
        let [_, a, b, c] = number.to_be_bytes();
        let session = SessionId(u64::from(number) + 1);
        Self { key: private_key(number).public_key(), address: [10, 64 + a, b, c].into(), session }
    }

    /// The steps that admit it.
    #[must_use]
    pub fn admission(&self) -> Vec<Step> {
        let additions =
            [Add::Peer(self.key), Add::AllowedIp(self.key, Prefix::host(self.address)), self.grant()];
        additions.into_iter().map(Step::Add).chain(self.resumption()).collect()
    }

    /// The steps that end its session and take its key away.
    #[must_use]
    pub fn end(&self) -> Vec<Step> {
        let cuts = [
            Cut::Source(self.address),
            Cut::Pair(self.pair()),
            Cut::AllowedIp(self.key, Prefix::host(self.address)),
        ];
        let destroyed = Step::Destroy(Destroy::Peer(self.key));
        cuts.into_iter().map(Step::Cut).chain([destroyed]).collect()
    }

    /// The steps that suspend its session.
    #[must_use]
    pub fn suspension(&self) -> Vec<Step> {
        vec![Step::Cut(Cut::Source(self.address))]
    }

    /// The steps that let its session go on.
    #[must_use]
    pub fn resumption(&self) -> Vec<Step> {
        let until = NOW.after(Duration::from_hours(24));
        let source = Source { session: self.session, epoch: SessionEpoch(0), until };
        vec![Step::Add(Add::Source(self.address, source))]
    }

    /// The steps that take its grant away.
    #[must_use]
    pub fn cut(&self) -> Vec<Step> {
        vec![Step::Cut(Cut::Pair(self.pair()))]
    }

    /// The addition of its grant.
    #[must_use]
    pub fn grant(&self) -> Add {
        Add::Pair(self.pair(), PairEnd::WithSource)
    }

    const fn pair(&self) -> Pair {
        Pair { source: self.address, region: RegionId(1) }
    }
}

fn private_key(number: u32) -> PrivateKey {
    let mut secret = [7; 32];
    secret.iter_mut().zip(number.to_be_bytes()).for_each(|(slot, byte)| *slot = byte);
    PrivateKey::from_bytes(secret)
}

/// A gateway whose gate is open for a day, in a network in memory.
pub struct Edge {
    /// The gateway.
    pub gateway: Gateway,
    /// What is behind it.
    pub network: PacketPort,
    /// What it is in.
    pub memory: MemoryNetwork,
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge").finish_non_exhaustive()
    }
}

impl Edge {
    /// Starts a gateway with so many members, which nobody uses.
    ///
    /// # Errors
    /// If it does not start, or refuses them.
    pub async fn open(members: u32) -> Result<Self, Error> {
        Self::open_with(members, true).await
    }

    /// The same, with or without its filter.
    ///
    /// # Errors
    /// If it does not start, or refuses them.
    pub async fn open_with(members: u32, has_filter: bool) -> Result<Self, Error> {
        let memory = MemoryNetwork::default();
        let (gateway, network) = start(&memory, has_filter).await?;
        let edge = Self { gateway, network, memory };
        edge.install((0..members).map(Member::new)).await?;
        Ok(edge)
    }

    /// Starts the gateway again, which then knows nothing of devices, and installs some members.
    ///
    /// # Errors
    /// If it does not start, or refuses them.
    pub async fn restart(&mut self, members: &[Member]) -> Result<(), Error> {
        self.gateway.stop().await;
        (self.gateway, self.network) = start(&self.memory, true).await?;
        self.install(members.iter().copied()).await
    }

    async fn install(&self, members: impl Iterator<Item = Member>) -> Result<(), Error> {
        let cell = Cell {
            addresses: Prefix::host(RESOURCE.0.into()).range(),
            protocol: Protocol::Udp,
            ports: PortRange::single(RESOURCE.1),
        };
        let gate = Add::Gate(NOW.after(Duration::from_hours(24)));
        let mut steps = vec![Step::Add(gate), Step::Add(Add::Cell(cell, RegionId(1)))];
        steps.extend(members.flat_map(|member| member.admission()));
        self.apply(steps).await
    }

    /// Applies steps.
    ///
    /// # Errors
    /// If they are refused.
    pub async fn apply(&self, steps: Vec<Step>) -> Result<(), Error> {
        self.gateway.apply(&plan(steps)).await.map_err(|error| Error::world("gateway", error))
    }

    /// A device's tunnel to the gateway, and its port. It is not admitted.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn device(&self, number: u32) -> Result<(Tunnel, PacketPort), Error> {
        let [_, a, b, c] = number.to_be_bytes();
        let underlay = self.memory.attach((IpAddr::from([198, 18 | a, b, c]), 51_820).into()).into();
        let config = TunnelConfig { private_key: private_key(number), underlay };
        let (tunnel, port) = Tunnel::start(config).await.map_err(|error| Error::world("tunnel", error))?;
        let route = GatewayRoute {
            public_key: self.gateway.public_key(),
            endpoint: self.gateway.local_address(),
            allowed_ips: [Prefix::host(RESOURCE.0.into())].into(),
        };
        let id = GatewayId::new("edge").map_err(|error| Error::world("tunnel", error))?;
        let routes =
            DeviceRoutes { addresses: [Member::new(number).address].into(), gateways: [(id, route)].into() };
        tunnel.apply_routes(&routes).await.map_err(|error| Error::world("tunnel", error))?;
        Ok((tunnel, port))
    }
}

/// A plan of these steps.
#[must_use]
pub const fn plan(steps: Vec<Step>) -> Plan {
    Plan { generation: Generation(1), now: NOW, steps }
}

async fn start(memory: &MemoryNetwork, has_filter: bool) -> Result<(Gateway, PacketPort), Error> {
    let underlay = memory.attach(GATEWAY.into()).into();
    let clock = Arc::new(ManualClock::new(BootInstant::from_millis(5_000)));
    let config = GatewayConfig { private_key: PrivateKey::from_bytes([200; 32]), underlay, clock };
    let started = if has_filter {
        Gateway::start(config).await
    } else {
        Gateway::dangerously_start_without_filter(config).await
    };
    started.map_err(|error| Error::world("gateway", error))
}
