//! A real implementation of the other side: gotatun, behind a socket of its own.

use std::fs;
use std::future::pending;
use std::io;
use std::iter::Empty;
use std::os::unix::net::UnixListener;

use gotatun::device::DeviceBuilder;
use gotatun::device::uapi::UapiServer;
use gotatun::packet::{Ip, Packet, PacketBufPool};
use gotatun::tun::{IpRecv, IpSend, MtuWatcher};
use gotatun::x25519;
use zt_backend_userspace::uapi::{Change, NewPeer, PeerWriter, Refusal, UapiGateway, UapiSocket, WriteError};
use zt_core::backend::Backend as _;
use zt_core::plan::{Cut, Destroy, Plan, Step};

use super::server::folder;
use super::{OWN, add, allow, prefixes, public, take};
use crate::lab::key;

/// No packets come from here, and those that go here are lost.
struct Nowhere;

impl IpSend for Nowhere {
    async fn send(&mut self, _: Packet<Ip>) -> io::Result<()> {
        Ok(())
    }
}

impl IpRecv for Nowhere {
    async fn recv<'a>(
        &'a mut self,
        _: &mut PacketBufPool,
    ) -> io::Result<impl Iterator<Item = Packet<Ip>> + Send + 'a> {
        pending::<io::Result<Empty<Packet<Ip>>>>().await
    }

    fn mtu(&self) -> MtuWatcher {
        MtuWatcher::new(1_420)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_of_another_implementation_come_change_and_go() {
    let folder = folder();
    let path = folder.join("wg0.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (client, server) = UapiServer::new();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            client.clone().wrap_read_write(stream.unwrap());
        }
    });
    let device = DeviceBuilder::new()
        .with_default_udp()
        .with_ip_pair(Nowhere, Nowhere)
        .with_private_key(x25519::StaticSecret::from(*key(OWN).expose_bytes()))
        .with_uapi(server)
        .build()
        .await
        .unwrap();

    let writer = PeerWriter::new(UapiSocket::new(&path));
    let nothing = writer.observe().await.unwrap();
    assert_eq!((nothing.public_key, nothing.peers.len()), (Some(public(OWN)), 0));
    let endpoint = "192.0.2.1:51820".parse().ok();
    let peer =
        NewPeer { allowed_ips: prefixes(&["10.99.0.2", "fd99::2"]), endpoint, keepalive: 25.try_into().ok() };
    let both = [Change::Add(public(1), peer.clone()), add(2, &["10.99.0.0/30"])];
    let error = writer.write(&both).await.unwrap_err();
    assert!(matches!(error, WriteError::Refused(Refusal::Overlap { .. })), "{error}");
    assert!(device.peers().await.is_empty());
    writer.write(&[Change::Add(public(1), peer), add(2, &["10.99.0.3"])]).await.unwrap();
    assert_eq!(device.peers().await[0].peer.keepalive.or(device.peers().await[1].peer.keepalive), Some(25));
    writer.write(&[take(1, &["10.99.0.2"]), allow(2, &["10.99.0.2", "10.99.4.0/22"])]).await.unwrap();
    let peers = writer.observe().await.unwrap().peers;
    assert_eq!(peers[&public(1)].allowed_ips, prefixes(&["fd99::2"]));
    assert_eq!(peers[&public(1)].endpoint, endpoint);
    assert_eq!(peers[&public(2)].allowed_ips, prefixes(&["10.99.0.2", "10.99.0.3", "10.99.4.0/22"]));
    assert_eq!(device.peers().await.len(), 2);

    let gateway = UapiGateway::new(UapiSocket::new(&path));
    let steps = vec![
        Step::Cut(Cut::AllowedIp(public(2), "10.99.0.3".parse().unwrap())),
        Step::Destroy(Destroy::Peer(public(1))),
    ];
    let (generation, now) = Default::default();
    gateway.apply(&Plan { generation, now, steps }).await.unwrap();
    let peers = gateway.observe().await.unwrap().elements.peers;
    assert_eq!(peers.into_keys().collect::<Vec<_>>(), [public(2)]);
    assert_eq!(device.peers().await[0].peer.allowed_ips.len(), 2);
    drop(device);
    fs::remove_dir_all(&folder).unwrap();
}
