//! The kernel's WireGuard, between network namespaces that cables connect.

mod lab;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use crate::console::note;
use lab::{Lab, Node};

/// How many datagrams are sent from each device and over each family after the peer was removed.
const AFTER: u32 = 50;
/// What datagrams carry that are sent to find out whether the way is open. All others carry their number.
const PROBE: u32 = u32::MAX;

/// Two devices reach a gateway. When the peer of one is removed, nothing arrives that it sends from then on, while all
/// that the other sends does.
pub(super) async fn nothing_arrives_from_a_removed_peer() {
    let lab = Lab::open().await;
    let [leaver, stayer] = &lab.devices;
    for family in 0..2 {
        probe(&lab, leaver, family).await;
        probe(&lab, stayer, family).await;
    }
    for peer in lab.gateway.wireguard.peers() {
        assert!(!peer.last_handshake_time.is_zero(), "packets came without a handshake");
        assert!(peer.rx_bytes > 0);
    }

    lab.gateway.wireguard.remove(&leaver.key);
    assert_eq!(lab.gateway.wireguard.peers().len(), 1);
    for number in 0..AFTER {
        for family in 0..2 {
            let to = lab.gateway.sockets[family].local_addr().unwrap();
            leaver.sockets[family].send_to(&number.to_be_bytes(), to).await.unwrap();
            stayer.sockets[family].send_to(&number.to_be_bytes(), to).await.unwrap();
        }
    }
    for family in 0..2 {
        let mut missing: BTreeSet<u32> = (0..AFTER).collect();
        while !missing.is_empty() {
            let (number, _) = receive(&lab, family).await;
            missing.remove(&number);
        }
    }
    // What the leaver sent and was only late would come before what the stayer sends later still.
    for family in 0..2 {
        probe(&lab, stayer, family).await;
    }
    note(&format!(
        "after one peer was removed: it sent {0}, 0 arrived; the other sent {0}, {0} arrived",
        2 * AFTER
    ));
}

/// Sends probes from a device until one arrives at the gateway.
async fn probe(lab: &Lab, from: &Node, family: usize) {
    let (socket, to) = (&from.sockets[family], lab.gateway.sockets[family].local_addr().unwrap());
    loop {
        socket.send_to(&PROBE.to_be_bytes(), to).await.unwrap();
        let arrival = async {
            let sent = (PROBE, socket.local_addr().unwrap());
            while receive(lab, family).await != sent {}
        };
        if timeout(Duration::from_millis(500), arrival).await.is_ok() {
            return;
        }
    }
}

/// What arrives next at the gateway, and from where.
async fn receive(lab: &Lab, family: usize) -> (u32, SocketAddr) {
    let mut buffer = [0; 4];
    let (length, source) = lab.gateway.sockets[family].recv_from(&mut buffer).await.unwrap();
    assert_eq!(length, buffer.len());
    let number = u32::from_be_bytes(buffer);
    // Probes were sent before, and may be late.
    let is_leavers = number != PROBE && source == lab.devices[0].sockets[family].local_addr().unwrap();
    assert!(!is_leavers, "datagram {number} of the removed peer arrived");
    (number, source)
}
