use std::time::Duration;

use gotatun::packet::Packet;
use gotatun::udp::{UdpSend as _, UdpTransportFactory as _, UdpTransportFactoryParams};

use super::Socket;
use crate::underlay::Underlay;

/// A device whose endpoint cannot be sent to, which it chooses by the source of its handshake, cost all other devices
/// the packets that stood behind its own in a batch.
#[tokio::test]
async fn a_packet_that_cannot_be_sent_costs_no_other_peer_its_own() {
    let (mut socket, _closed) = Socket::open(Underlay::Udp("127.0.0.1:0".parse().unwrap())).unwrap();
    let (sender, _) =
        socket.bind(&UdpTransportFactoryParams { addr: None, port: 0, fwmark: None }).await.unwrap();
    let peer = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let peer_address = peer.local_addr().unwrap();
    let nowhere = "127.0.0.1:0".parse().unwrap();
    let packet = |byte: u8| Packet::copy_from([byte].as_slice());
    let mut packets = vec![(packet(1), peer_address), (packet(2), nowhere), (packet(3), peer_address)];
    sender.send_many_to(&mut Default::default(), &mut packets).await.unwrap();
    let mut byte = [0];
    while byte != [3] {
        tokio::time::timeout(Duration::from_secs(5), peer.recv(&mut byte)).await.unwrap().unwrap();
    }
    assert!(packets.is_empty());
}
