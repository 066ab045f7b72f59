//! The suite that every backend must pass, on the kernel's filter.
//!
//! Peers are played: a device's end drops what WireGuard would not take from it, or give to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use tokio::sync::Mutex as Shared;
use tokio::sync::mpsc;
use zt_core::backend::BackendError;
use zt_core::desired::Peer;
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::Prefix;
use zt_core::plan::{Add, Step};
use zt_core::testing::conformance::{CASES, End};
use zt_linux::testing::{FilterLabs, Tunnels};
use zt_linux::{LinkName, Mtu, Netlink, Peers, Tun};

use crate::namespace::{PATIENCE, name};

type Book = Arc<Mutex<BTreeMap<PublicKey, Peer>>>;

/// Tunnels that are played: a TUN device hands packets to the devices that own their destinations.
struct PlayedTunnels {
    tun: Arc<Tun>,
    devices: Devices,
    peers: Book,
}

type Devices = Arc<Mutex<Vec<Weak<Device>>>>;

#[async_trait]
impl Tunnels for PlayedTunnels {
    type Peers = Played;

    async fn start(netlink: &Netlink) -> Self {
        let tun = Arc::new(Tun::create(netlink, Some(&name("zt0")), Mtu::TUNNEL).await.unwrap());
        let devices = Devices::default();
        tokio::spawn(hand_out(Arc::clone(&tun), Arc::clone(&devices)));
        Self { tun, devices, peers: Book::default() }
    }

    fn link(&self) -> LinkName {
        name("zt0")
    }

    fn port(&self) -> u16 {
        51_820
    }

    async fn peers(&self) -> Played {
        Played(Arc::clone(&self.peers))
    }

    async fn device(&self, key: PrivateKey, _: &[IpAddr]) -> Arc<dyn End> {
        let (arrive, arrived) = mpsc::unbounded_channel();
        let (peers, tunnel) = (Arc::clone(&self.peers), Arc::clone(&self.tun));
        let device =
            Arc::new(Device { key: key.public_key(), peers, tunnel, arrive, arrived: Shared::new(arrived) });
        self.devices.lock().unwrap().push(Arc::downgrade(&device));
        device
    }
}

/// Gives each packet that comes out of the tunnel's link to the device that has its destination.
async fn hand_out(tunnel: Arc<Tun>, devices: Devices) {
    while let Ok(packet) = tunnel.receive().await {
        let Some(to) = destination(&packet) else { continue };
        let devices: Vec<Arc<Device>> = devices.lock().unwrap().iter().filter_map(Weak::upgrade).collect();
        for device in devices.iter().filter(|device| device.owns(to)) {
            let _ = device.arrive.send(packet.clone());
        }
    }
}

fn source(packet: &[u8]) -> Option<IpAddr> {
    endpoint(packet, 12, 8)
}

fn destination(packet: &[u8]) -> Option<IpAddr> {
    endpoint(packet, 16, 24)
}

fn endpoint(packet: &[u8], v4: usize, v6: usize) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => packet.get(v4..)?.first_chunk::<4>().map(|bytes| IpAddr::from(*bytes)),
        6 => packet.get(v6..)?.first_chunk::<16>().map(|bytes| IpAddr::from(*bytes)),
        _ => None,
    }
}

/// A device's end of the tunnel.
struct Device {
    key: PublicKey,
    peers: Book,
    tunnel: Arc<Tun>,
    arrive: mpsc::UnboundedSender<Vec<u8>>,
    arrived: Shared<mpsc::UnboundedReceiver<Vec<u8>>>,
}

impl Device {
    fn owns(&self, address: IpAddr) -> bool {
        let peers = self.peers.lock().unwrap();
        peers.get(&self.key).is_some_and(|peer| peer.allowed_ips.iter().any(|own| own.contains(address)))
    }
}

#[async_trait]
impl End for Device {
    async fn send(&self, packet: Vec<u8>) {
        if source(&packet).is_some_and(|from| self.owns(from)) {
            let _ = self.tunnel.send(&packet).await;
        }
    }

    async fn receive(&self) -> Vec<u8> {
        self.arrived.lock().await.recv().await.unwrap()
    }
}

/// A list of peers that nobody enforces but the devices' ends.
struct Played(Book);

impl Played {
    fn try_add(&self, add: &Add) -> Result<(), &'static str> {
        let mut peers = self.0.lock().unwrap();
        match add {
            Add::Peer(key) if peers.contains_key(key) => Err("the peer is there already"),
            Add::Peer(key) => {
                peers.insert(*key, Peer::default());
                Ok(())
            }
            Add::AllowedIp(key, prefix) => {
                let taken = peers.iter().any(|(other, peer)| {
                    other != key && peer.allowed_ips.iter().any(|own| own.overlaps(prefix))
                });
                let peer =
                    peers.get_mut(key).filter(|_| !taken).ok_or("no such peer, or another peer has it")?;
                peer.allowed_ips.insert(*prefix);
                Ok(())
            }
            Add::Cell(..) | Add::Pair(..) | Add::Source(..) | Add::Gate(_) => Ok(()),
        }
    }
}

#[async_trait]
impl Peers for Played {
    async fn observe(&self) -> Result<BTreeMap<PublicKey, Peer>, BackendError> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn cut(&self, lost: &BTreeMap<PublicKey, BTreeSet<Prefix>>) -> Result<(), BackendError> {
        let mut peers = self.0.lock().unwrap();
        for (key, lost) in lost {
            if let Some(peer) = peers.get_mut(key) {
                peer.allowed_ips.retain(|prefix| !lost.contains(prefix));
            }
        }
        Ok(())
    }

    async fn add(&self, additions: &[&Add]) -> Result<(), BackendError> {
        for add in additions {
            self.try_add(add).map_err(|problem| BackendError::Step {
                step: Box::new(Step::Add((*add).clone())),
                problem: problem.to_owned(),
            })?;
        }
        Ok(())
    }

    async fn remove(&self, keys: &BTreeSet<PublicKey>) -> Result<(), BackendError> {
        self.0.lock().unwrap().retain(|key, _| !keys.contains(key));
        Ok(())
    }
}

fn conforms(only: &str) {
    let case = CASES.iter().find(|case| case.name == only).unwrap();
    zt_linux::testing::alone(10 * PATIENCE, || async {
        if let Err(failure) = case.run(&FilterLabs::<PlayedTunnels>::new(PATIENCE)).await {
            panic!("{}: {failure}", case.name);
        }
    })
    .unwrap();
}

/// Each of these takes a minute, which passes for all of them at once.
const ENDS: [&str; 3] =
    ["everything_ends_with_the_lease", "a_source_ends_by_itself", "a_pair_ends_by_itself"];

#[test]
fn access_ends_by_itself() {
    std::thread::scope(|scope| {
        for name in ENDS {
            scope.spawn(|| conforms(name));
        }
    });
}

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                conforms(stringify!($name));
            }
        )*
        #[test]
        fn these_are_all_cases() {
            let all = CASES.iter().map(|case| case.name).filter(|name| !ENDS.contains(name));
            assert_eq!(all.collect::<Vec<_>>(), [$(stringify!($name)),*]);
        }
    };
}

cases!(
    nothing_passes_at_first,
    what_is_granted_passes_and_nothing_else,
    a_device_has_its_own_addresses_only,
    the_network_opens_no_flows,
    one_grant_of_several_goes_and_comes_back,
    overlapping_resources_are_cut_apart,
    a_prefix_has_one_owner,
    errors_pass_if_what_they_quote_would,
    fragments_pass_if_the_packet_would,
    extension_headers_pass_but_routes_do_not,
    what_is_no_packet_is_dropped,
    suspended_sessions_come_back_at_once,
    ended_sessions_make_room_for_the_next,
    a_revoked_key_reaches_nothing,
    another_generation_leaves_what_stays_alone,
    drift_is_repaired,
    a_failed_step_leaves_nothing_foreign,
    what_was_left_behind_is_brought_in_line,
    nothing_passes_after_a_pair_is_cut,
    nothing_passes_after_a_source_is_cut,
    nothing_passes_after_a_cell_is_cut,
    nothing_passes_after_an_allowed_ip_is_cut,
    nothing_passes_after_the_gate_is_cut,
    nothing_passes_after_a_source_ends_sooner,
    nothing_passes_after_a_pair_ends_sooner,
);
