//! Devices log in, and say what they are like.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::sync::mpsc;
use zt_backend_userspace::{Tunnel, TunnelConfig};
use zt_core::control::Receipt;
use zt_core::desired::DeviceRoutes;
use zt_core::device::{FactStatus, FactValue, PostureFact, Tier};
use zt_core::event::{Event, Login};
use zt_core::id::{FactName, SessionId};
use zt_core::identity::{Assurance, Mfa};
use zt_core::key::PublicKey;

use crate::netstack::{Answers, Stack};
use crate::story::cast::Person;

use super::{Stage, StageError, random_key};

/// The fact whose change the story plays; the others are those of this machine.
pub const PLAYED_FACT: &str = "edr_running";

/// A device that is logged in.
pub struct Device {
    /// The session it holds.
    pub session: SessionId,
    /// Its WireGuard key.
    pub public_key: PublicKey,
    /// Its own address in the tunnel.
    pub address: IpAddr,
    /// TCP and UDP through its tunnel.
    pub stack: Stack,
    /// A way into its tunnel for packets of any kind.
    pub raw: mpsc::Sender<Vec<u8>>,
    tunnel: Tunnel,
}

impl Device {
    /// Has the device use other routes than it was told.
    ///
    /// # Errors
    /// If WireGuard does not take them.
    pub async fn use_routes(&self, routes: &DeviceRoutes) -> Result<(), StageError> {
        Ok(self.tunnel.apply_routes(routes).await?)
    }
}

impl Stage {
    /// Logs a person in on their device, which makes a new key, and brings the device's tunnel up.
    ///
    /// # Errors
    /// If the login is refused or the tunnel does not start.
    pub async fn log_in(&mut self, person: &Person, span: Duration) -> Result<(), StageError> {
        self.report(person, true).await?;
        let private_key = random_key()?;
        let underlay = SocketAddr::new(self.cast.endpoint.ip(), 0).into();
        let (tunnel, port) = Tunnel::start(TunnelConfig { private_key, underlay }).await?;
        let (public_key, now) = (tunnel.public_key(), self.now());
        let login = Login {
            subject: person.subject.clone(),
            device: person.device.clone(),
            public_key,
            assurance: Assurance { authenticated_at: now, mfa: Mfa::At(now), acr: "".into() },
            ends_at: now.after(span),
        };
        let submission = self.control.lock().await.submit(Event::SessionStarted(login)).await?;
        self.changed.notify_one();
        let session = submission.outcome.started.ok_or(StageError::NoSession(person.name))?;
        let routes = self.routes(session).await.ok_or(StageError::NoSession(person.name))?;
        let address = routes.addresses.first().copied().ok_or(StageError::NoSession(person.name))?;
        let raw = port.sender.clone();
        let stack = Stack::start(port, Answers::On(&[address]));
        tunnel.apply_routes(&routes).await?;
        self.devices.insert(person.name, Device { session, public_key, address, stack, raw, tunnel });
        Ok(())
    }

    /// Reports a device's posture: the facts of this machine, and the played one as told.
    ///
    /// # Errors
    /// If the report is refused.
    pub async fn report(&self, person: &Person, running: bool) -> Result<Receipt, StageError> {
        let observed_at = self.now();
        let played = PostureFact {
            name: FactName::new(PLAYED_FACT)?,
            status: if running { FactStatus::Pass } else { FactStatus::Fail },
            value: FactValue::Bool(running),
            source: "played by the story".into(),
            tier: Tier::SelfAsserted,
            observed_at,
        };
        let own = self.facts.iter().filter(|fact| fact.name != played.name).cloned();
        let mut facts: Vec<_> = own.map(|fact| PostureFact { observed_at, ..fact }).collect();
        facts.push(played);
        self.submit(Event::PostureReported { device: person.device.clone(), facts }).await
    }
}
