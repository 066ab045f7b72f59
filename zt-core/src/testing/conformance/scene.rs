//! A lab, with what is to be installed in it and what has arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::{End, Failure, Lab};
use crate::desired::{Cell, Elements, Pair, PairEnd, Source};
use crate::id::{Generation, RegionId, SessionEpoch, SessionId};
use crate::key::{PrivateKey, PublicKey};
use crate::net::{AddressRange, PortRange, Prefix, Protocol};
use crate::plan::{Add, ObservedState, Plan, Step, steps};
use crate::testing::{Reassembly, bytes};

/// The resources of the cases.
pub(super) const SERVERS: [&str; 2] = ["10.100.5.10", "fd10:100:5::10"];
/// A host next to them, of which nothing is granted.
pub(super) const OTHERS: [&str; 2] = ["10.100.5.66", "fd10:100:5::66"];

/// What marks the packets of the cases, before a number.
const MARK: [u8; 8] = *b"zt-probe";

pub(super) type Played = Result<(), Failure>;

/// A device of a case.
pub(super) struct Device {
    pub(super) key: PublicKey,
    /// One of each family.
    pub(super) addresses: [IpAddr; 2],
    pub(super) end: Arc<dyn End>,
    session: SessionId,
}

/// A service of the servers of a case, in both families.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    pub(super) protocol: Protocol,
    pub(super) ports: (u16, u16),
    /// The region in IPv4; in IPv6 it is the next.
    pub(super) region: u32,
}

pub(super) const WEB: Service = Service { protocol: Protocol::Tcp, ports: (443, 443), region: 10 };
pub(super) const DNS: Service = Service { protocol: Protocol::Udp, ports: (5_000, 5_099), region: 20 };
pub(super) const PING: Service = Service { protocol: Protocol::Echo, ports: (0, 0), region: 30 };
/// A service that stays when others are taken away.
pub(super) const STAYS: Service = Service { protocol: Protocol::Udp, ports: (7_000, 7_000), region: 40 };

impl Service {
    /// Its cell and its region in a family.
    pub(super) fn cell(&self, family: usize) -> (Cell, RegionId) {
        let host = server(family);
        let (first, last) = self.ports;
        let addresses = AddressRange { first: host, last: host };
        let region = RegionId(self.region.saturating_add(u32::from(family == 1)));
        (Cell { addresses, protocol: self.protocol, ports: PortRange { first, last } }, region)
    }
}

/// The server in a family: 0 is IPv4, 1 is IPv6.
pub(super) fn server(family: usize) -> IpAddr {
    address(SERVERS, family)
}

/// The other host in a family.
pub(super) fn other(family: usize) -> IpAddr {
    address(OTHERS, family)
}

fn address(of: [&str; 2], family: usize) -> IpAddr {
    let text = of.get(family).copied().unwrap_or_default();
    text.parse().unwrap_or(IpAddr::from([0; 4]))
}

pub(super) fn fail<T>(problem: impl Into<String>) -> Result<T, Failure> {
    Err(Failure(problem.into()))
}

/// A lab, what is to be installed, and which packets have arrived where.
pub(super) struct Scene {
    pub(super) lab: Box<dyn Lab>,
    pub(super) elements: Elements,
    generation: Generation,
    last: u64,
    /// By the end, which is told by its address in memory.
    arrived: BTreeMap<usize, BTreeSet<u64>>,
    pieces: BTreeMap<usize, Reassembly>,
}

impl Scene {
    pub(super) fn new(lab: Box<dyn Lab>) -> Self {
        Self {
            lab,
            elements: Elements::default(),
            generation: Generation(0),
            last: 0,
            arrived: BTreeMap::new(),
            pieces: BTreeMap::new(),
        }
    }

    /// A device that is not admitted to anything, numbered from 1 to 99.
    pub(super) async fn device(&mut self, number: u8) -> Device {
        let key = PrivateKey::from_bytes([number; 32]);
        let number = u16::from(number);
        let last = u8::try_from(number).unwrap_or(0);
        let addresses = [IpAddr::from([10, 99, 0, last]), IpAddr::from([0xfd99, 0, 0, 0, 0, 0, 0, number])];
        let public = key.public_key();
        let end = self.lab.device(key, &addresses).await;
        Device { key: public, addresses, end, session: SessionId(u64::from(number)) }
    }

    /// A device that is admitted for a day and granted some services; all of it installed, with the gate open.
    pub(super) async fn admitted(&mut self, number: u8, services: &[Service]) -> Result<Device, Failure> {
        let device = self.device(number).await;
        self.admit(&device);
        self.grant(&device, services);
        self.converge().await?;
        self.open(Duration::from_hours(1)).await?;
        Ok(device)
    }

    /// Gives a device its peer, with a session of a day.
    pub(super) fn admit(&mut self, device: &Device) {
        let until = self.lab.now().after(Duration::from_hours(24));
        let source = Source { session: device.session, epoch: SessionEpoch(0), until };
        let peer = self.elements.peers.entry(device.key).or_default();
        for address in device.addresses {
            peer.allowed_ips.insert(Prefix::host(address));
            self.elements.sources.insert(address, source);
        }
    }

    /// Takes all from a device.
    pub(super) fn dismiss(&mut self, device: &Device) {
        self.elements.peers.remove(&device.key);
        for address in device.addresses {
            self.elements.sources.remove(&address);
        }
        let of_others = |pair: &Pair| !device.addresses.contains(&pair.source);
        self.elements.pairs = self.elements.pairs.iter().filter(|(pair, _)| of_others(pair)).collect();
    }

    pub(super) fn grant(&mut self, device: &Device, services: &[Service]) {
        for (service, family) in services.iter().flat_map(|service| [(service, 0), (service, 1)]) {
            let (cell, region) = service.cell(family);
            self.elements.cells.insert(cell, region);
            self.elements.pairs.insert(pair(device, service, family), PairEnd::WithSource);
        }
    }

    /// Plans from what is observed to the elements, and applies that.
    pub(super) async fn converge(&mut self) -> Played {
        let observed = self.observe().await?;
        self.generation = self.generation.next();
        self.apply(steps(&observed.elements, &self.elements, self.lab.now())).await
    }

    pub(super) async fn open(&self, lease: Duration) -> Played {
        self.apply(vec![Step::Add(Add::Gate(self.lab.now().after(lease)))]).await
    }

    /// Applies steps, which must succeed.
    pub(super) async fn apply(&self, steps: Vec<Step>) -> Played {
        self.try_apply(steps).await.map_err(|error| Failure(format!("apply failed: {error}")))
    }

    pub(super) async fn try_apply(&self, steps: Vec<Step>) -> Result<(), crate::backend::BackendError> {
        let plan = Plan { generation: self.generation, now: self.lab.now(), steps };
        self.lab.backend().apply(&plan).await
    }

    pub(super) async fn observe(&self) -> Result<ObservedState, Failure> {
        self.lab.backend().observe().await.map_err(|error| Failure(format!("observe failed: {error}")))
    }

    /// The payload of a new packet, at least so long, and its number.
    pub(super) fn payload(&mut self, length: usize) -> (u64, Vec<u8>) {
        self.last = self.last.saturating_add(1);
        (self.last, payload(self.last, length))
    }

    /// Sends a packet that must arrive.
    pub(super) async fn passes(
        &mut self,
        (from, to): (&Arc<dyn End>, &Arc<dyn End>),
        packet: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Played {
        let (number, payload) = self.payload(16);
        from.send(packet(&payload)).await;
        self.await_arrival(to, number).await
    }

    /// Sends a packet that must not arrive. That it does not is told by [`never`](Self::never) once a packet behind it
    /// has.
    pub(super) async fn sends(&mut self, from: &Arc<dyn End>, packet: impl Fn(&[u8]) -> Vec<u8>) -> u64 {
        let (number, payload) = self.payload(16);
        from.send(packet(&payload)).await;
        number
    }

    /// Waits until a packet arrives.
    pub(super) async fn await_arrival(&mut self, at: &Arc<dyn End>, number: u64) -> Played {
        while !self.has_arrived(at, number) {
            let packet = match select(at.receive(), self.lab.patience()).await {
                Either::Left((packet, _)) => packet,
                Either::Right(_) => return fail(format!("packet {number} should have arrived")),
            };
            self.note(at, &packet);
        }
        Ok(())
    }

    /// Notes which of the cases' packets this is, once all of its fragments are there.
    pub(super) fn note(&mut self, at: &Arc<dyn End>, packet: &[u8]) {
        let whole = self.pieces.entry(place(at)).or_default().take(packet).whole();
        if let Some(number) = whole.as_deref().and_then(number) {
            self.arrived.entry(place(at)).or_default().insert(number);
        }
    }

    pub(super) fn has_arrived(&self, at: &Arc<dyn End>, number: u64) -> bool {
        self.arrived.get(&place(at)).is_some_and(|arrived| arrived.contains(&number))
    }

    /// The numbers from `from` up to, but not including, `to` that have arrived.
    pub(super) fn arrived(&self, at: &Arc<dyn End>, from: u64, to: u64) -> impl Iterator<Item = u64> {
        self.arrived.get(&place(at)).into_iter().flat_map(move |arrived| arrived.range(from..to)).copied()
    }

    /// Fails if any of these packets has arrived.
    pub(super) fn never(&self, at: &Arc<dyn End>, packets: &[(u64, &str)]) -> Played {
        match packets.iter().find(|(number, _)| self.has_arrived(at, *number)) {
            None => Ok(()),
            Some((_, what)) => fail(format!("arrived, though it should have been dropped: {what}")),
        }
    }

    /// A packet of the device's flow to a service passes, and then one back. Both ends may use one flow for ever.
    pub(super) async fn talks(&mut self, device: &Device, service: Service) -> Played {
        for family in [0, 1] {
            let (up, down) = conversation(device, service, family);
            let network = self.lab.network();
            self.passes((&device.end, &network), &up).await?;
            self.passes((&network, &device.end), &down).await?;
        }
        Ok(())
    }

    /// Like [`talks`](Self::talks), on paths that may lose packets: they are full of others, or the tunnel is not up yet.
    pub(super) async fn talks_at_last(&mut self, device: &Device, service: Service) -> Played {
        let network = self.lab.network();
        for family in [0, 1] {
            let (up, down) = conversation(device, service, family);
            self.passes_at_last((&device.end, &network), &up).await?;
            self.passes_at_last((&network, &device.end), &down).await?;
        }
        Ok(())
    }

    async fn passes_at_last(
        &mut self,
        (from, to): (&Arc<dyn End>, &Arc<dyn End>),
        packet: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Played {
        let (lab, first) = (&*self.lab, self.last.saturating_add(1));
        let (mut last, mut heard) = (self.last, Vec::new());
        let trying = async {
            loop {
                last = last.saturating_add(1);
                from.send(packet(&payload(last, 16))).await;
                while let Some(packet) = soon(to, lab).await {
                    let is_one = number(&packet).is_some_and(|number| (first..=last).contains(&number));
                    heard.push(packet);
                    if is_one {
                        return;
                    }
                }
            }
        };
        let in_time = match select(std::pin::pin!(trying), lab.patience()).await {
            Either::Left(_) => Ok(()),
            Either::Right(_) => fail("packets of a granted flow should arrive at last"),
        };
        self.last = last;
        heard.iter().for_each(|packet| self.note(to, packet));
        in_time
    }

    /// Sends packets of a device's flow to a service both ways.
    pub(super) async fn attempts(
        &mut self,
        device: &Device,
        service: Service,
    ) -> [Vec<(u64, &'static str)>; 2] {
        let (mut up_numbers, mut down_numbers) = (Vec::new(), Vec::new());
        for family in [0, 1] {
            let (up, down) = conversation(device, service, family);
            let network = self.lab.network();
            up_numbers.push((self.sends(&device.end, &up).await, "a packet from the device"));
            down_numbers.push((self.sends(&network, &down).await, "a packet to the device"));
        }
        [up_numbers, down_numbers]
    }

    /// Like [`attempts`](Self::attempts), and waits until the gateway has dropped all of them.
    pub(super) async fn attempts_in_vain(
        &mut self,
        device: &Device,
        service: Service,
    ) -> Result<[Vec<(u64, &'static str)>; 2], Failure> {
        let before = self.lab.dropped().await;
        let tried = self.attempts(device, service).await;
        let count = tried.iter().map(Vec::len).sum::<usize>();
        let all = before.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        let lab = &*self.lab;
        let dropped = async {
            while lab.dropped().await < all {
                lab.pause().await;
            }
        };
        match select(std::pin::pin!(dropped), lab.patience()).await {
            Either::Left(_) => Ok(tried),
            Either::Right(_) => fail("packets that are not granted should have been dropped"),
        }
    }

    /// Fails if any of what was attempted has arrived; `control` is a device and a service that pass.
    pub(super) async fn dropped(
        &mut self,
        (device, [up, down]): (&Device, [Vec<(u64, &'static str)>; 2]),
        control: Service,
    ) -> Played {
        self.talks(device, control).await?;
        self.never(&self.lab.network(), &up)?;
        self.never(&device.end, &down)
    }
}

/// The next packet, if one comes soon.
async fn soon(at: &Arc<dyn End>, lab: &dyn Lab) -> Option<Vec<u8>> {
    match select(at.receive(), lab.pause()).await {
        Either::Left((packet, _)) => Some(packet),
        Either::Right(_) => None,
    }
}

/// How a packet of a flow looks around a payload.
pub(super) type Wrap = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// Packets of a flow between a device and a service: from the device, and to it.
pub(super) fn conversation(device: &Device, service: Service, family: usize) -> (Wrap, Wrap) {
    let near = device.addresses.get(family).copied().unwrap_or(IpAddr::from([0; 4]));
    between(SocketAddr::new(near, 40_000), SocketAddr::new(server(family), service.ports.0), service.protocol)
}

/// Packets of a flow: from the near end, and to it.
pub(super) fn between(near: SocketAddr, far: SocketAddr, protocol: Protocol) -> (Wrap, Wrap) {
    match protocol {
        Protocol::Tcp => (
            Box::new(move |payload| bytes::tcp(near, far, bytes::ACK, payload)),
            Box::new(move |payload| bytes::tcp(far, near, bytes::ACK, payload)),
        ),
        Protocol::Udp => (
            Box::new(move |payload| bytes::udp(near, far, payload)),
            Box::new(move |payload| bytes::udp(far, near, payload)),
        ),
        Protocol::Echo => (
            Box::new(move |payload| bytes::echo_request(near.ip(), far.ip(), 9, payload)),
            Box::new(move |payload| bytes::echo_reply(far.ip(), near.ip(), 9, payload)),
        ),
    }
}

pub(super) fn pair(device: &Device, service: &Service, family: usize) -> Pair {
    let source = device.addresses.get(family).copied().unwrap_or(IpAddr::from([0; 4]));
    Pair { source, region: service.cell(family).1 }
}

/// A payload with a number in it, at least so long.
pub(super) fn payload(number: u64, length: usize) -> Vec<u8> {
    let mut payload = [MARK, number.to_be_bytes()].concat();
    payload.resize(payload.len().max(length), 0);
    payload
}

/// The number of one of the cases' packets; `None` if it is another.
pub(super) fn number(packet: &[u8]) -> Option<u64> {
    let behind = packet.windows(MARK.len()).position(|window| window == MARK)?.checked_add(MARK.len())?;
    packet.get(behind..)?.first_chunk().map(|number| u64::from_be_bytes(*number))
}

fn place(end: &Arc<dyn End>) -> usize {
    Arc::as_ptr(end).cast::<()>().addr()
}
