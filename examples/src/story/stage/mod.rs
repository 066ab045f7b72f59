//! The stage: a control plane, a gateway with a network behind it, and devices, all in this process.

mod device;
mod error;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use zt_backend_userspace::clock::{AnchoredClock, HostClock};
use zt_backend_userspace::{Gateway, GatewayConfig, PacketPort, StartError};
use zt_core::backend::Backend;
use zt_core::control::{Clock as _, ControlPlane, Receipt};
use zt_core::desired::{DesiredState, DeviceRoutes};
use zt_core::device::PostureFact;
use zt_core::directory::Directory;
use zt_core::event::{Event, PolicySource};
use zt_core::id::SessionId;
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::log::MemoryLog;
use zt_core::net::Prefix;
use zt_core::time::Timestamp;
use zt_policy::PolicyEngine;

use crate::site_files::SiteFiles;

use super::cast::{Cast, Person};
use super::lan::Lan;
use super::meter::Meters;
use super::traffic::Traffic;

pub use self::device::{Device, PLAYED_FACT};
pub use self::error::StageError;

type Control = ControlPlane<PolicyEngine, MemoryLog, AnchoredClock>;

/// A gateway that runs.
pub struct StartedGateway {
    /// Its arm.
    pub backend: Arc<dyn Backend>,
    /// Its WireGuard key.
    pub public_key: PublicKey,
    /// Where it listens.
    pub endpoint: SocketAddr,
    /// The network behind it.
    pub port: PacketPort,
}

impl StartedGateway {
    /// Takes a gateway that was started.
    pub fn new((gateway, port): (Gateway, PacketPort)) -> Self {
        let (public_key, endpoint) = (gateway.public_key(), gateway.local_address());
        Self { backend: Arc::new(gateway), public_key, endpoint, port }
    }
}

/// Everything that runs.
pub struct Stage {
    /// Who and what the story is about.
    pub cast: Cast,
    /// The gateway's arm, to be observed.
    pub backend: Arc<dyn Backend>,
    /// The traffic of the run.
    pub traffic: Traffic,
    /// The policies in force.
    pub policy: PolicySource,
    control: Arc<Mutex<Control>>,
    changed: Arc<Notify>,
    devices: BTreeMap<&'static str, Device>,
    facts: Vec<PostureFact>,
    keeper: JoinHandle<()>,
}

impl Stage {
    /// Sets the stage: loads the site, starts the gateway that `start` gives, and the network behind it.
    ///
    /// # Errors
    /// If the site's texts are refused, or something cannot be started.
    pub async fn set(
        files: &SiteFiles,
        (cast, directory): (Cast, &Directory),
        facts: Vec<PostureFact>,
        start: impl AsyncFnOnce(GatewayConfig) -> Result<StartedGateway, StartError>,
    ) -> Result<Self, StageError> {
        let clock = AnchoredClock::start();
        let traffic = Traffic { meters: Arc::new(Meters::default()), clock };
        let mut control = Control::open(PolicyEngine::new(), MemoryLog::default(), clock).await?;
        let _site = control.submit(Event::SiteLoaded(files.site.clone())).await?;
        let _policy = control.submit(Event::PolicyLoaded(files.policy.clone())).await?;
        for event in directory.events() {
            let _known = control.submit(event).await?;
        }
        let config = GatewayConfig {
            private_key: random_key()?,
            underlay: cast.endpoint.into(),
            clock: Arc::new(HostClock),
        };
        let StartedGateway { backend, public_key, endpoint, port } = start(config).await?;
        let gateway = cast.gateway.clone();
        let _enrolled = control.submit(Event::GatewayEnrolled { gateway, public_key, endpoint }).await?;
        control.attach(cast.gateway.clone(), Arc::clone(&backend)).await;
        let lan = Lan::start(port, traffic.clone());
        for at in cast.listeners() {
            lan.listen(at);
            lan.receive(at)?;
        }
        lan.receive(cast.wiki_udp)?;
        let (control, changed) = (Arc::new(Mutex::new(control)), Arc::new(Notify::new()));
        let keeper = keep(&control, &changed);
        let policy = files.policy.clone();
        Ok(Self { cast, backend, traffic, policy, control, changed, devices: BTreeMap::new(), facts, keeper })
    }

    /// The controller's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.traffic.clock.now()
    }

    /// Returns at an instant of the controller's time.
    pub async fn reach_instant(&self, at: Timestamp) {
        self.traffic.clock.sleep(at.since(self.now())).await;
    }

    /// Has an event take effect at the gateway. No device is told: what ends access must not need their help.
    ///
    /// # Errors
    /// If the event is refused.
    pub async fn submit(&self, event: Event) -> Result<Receipt, StageError> {
        let receipt = self.control.lock().await.submit(event).await?.receipt;
        self.changed.notify_one();
        Ok(receipt)
    }

    /// Tells every device the routes that its session has by now.
    ///
    /// # Errors
    /// If a device does not take its routes.
    pub async fn push_routes(&self) -> Result<(), StageError> {
        for device in self.devices.values() {
            if let Some(routes) = self.routes(device.session).await {
                device.use_routes(&routes).await?;
            }
        }
        Ok(())
    }

    /// The device of a person who has logged in.
    ///
    /// # Errors
    /// If the person has not.
    pub fn device(&self, person: &Person) -> Result<&Device, StageError> {
        self.devices.get(person.name).ok_or(StageError::NoSession(person.name))
    }

    /// The routes that the controller gives to a session; `None` once it is over.
    pub async fn routes(&self, session: SessionId) -> Option<DeviceRoutes> {
        self.control.lock().await.controller().routes(session)
    }

    /// The routes that a device would like to have: everything.
    pub async fn widened_routes(&self, device: &Device) -> DeviceRoutes {
        let mut routes = self.routes(device.session).await.unwrap_or_default();
        for gateway in routes.gateways.values_mut() {
            gateway.allowed_ips.extend(Prefix::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        }
        routes
    }

    /// When a person's session ends.
    ///
    /// # Errors
    /// If the person has none.
    pub async fn session_end(&self, person: &Person) -> Result<Timestamp, StageError> {
        let session = self.device(person)?.session;
        let control = self.control.lock().await;
        let session = control.controller().session(session).ok_or(StageError::NoSession(person.name))?;
        Ok(session.ends_at)
    }

    /// What the gateway is to have installed.
    pub async fn desired(&self) -> Option<DesiredState> {
        self.control.lock().await.controller().desired(&self.cast.gateway)
    }

    /// The peers that the gateway really has.
    pub async fn peers(&self) -> Vec<PublicKey> {
        let observed = self.backend.observe().await;
        observed.map(|observed| observed.elements.peers.into_keys().collect()).unwrap_or_default()
    }

    /// When the gateway drops everything, if it is not given another lease.
    pub async fn access_ends(&self) -> Timestamp {
        self.control.lock().await.access_ends().map(|(_, at)| at).max().unwrap_or_default()
    }

    /// Silences the control plane: nothing is renewed any more.
    pub fn silence(&mut self) {
        self.keeper.abort();
    }

    /// Lets the control plane go on.
    pub fn resume(&mut self) {
        self.keeper = keep(&self.control, &self.changed);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Keeps a control plane going: ticks at its deadlines, renewals in time.
fn keep(control: &Arc<Mutex<Control>>, changed: &Arc<Notify>) -> JoinHandle<()> {
    let (control, changed) = (Arc::clone(control), Arc::clone(changed));
    tokio::spawn(async move {
        loop {
            let pause = {
                let mut control = control.lock().await;
                // A tick that the log does not take leaves the leases unrenewed; the next turn tries again.
                let _ = control.advance().await;
                control.wake_at().since(control.clock().now())
            };
            tokio::select! {
                () = tokio::time::sleep(pause.max(Duration::from_millis(1))) => {}
                () = changed.notified() => {}
            }
        }
    })
}

fn random_key() -> Result<PrivateKey, StageError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(StageError::Random)?;
    Ok(PrivateKey::from_bytes(bytes))
}
