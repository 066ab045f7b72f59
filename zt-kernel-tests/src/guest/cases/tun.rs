//! TUN devices of zt-linux, on this kernel.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;
use zt_core::net::Prefix;
use zt_core::testing::bytes;
use zt_linux::{Link, LinkConfig, Mtu, Netlink, Route, Tun};

use crate::namespace::{Namespace, link_name};

const NEAR: [&str; 2] = ["10.98.0.1", "fd98::1"];
const FAR: [&str; 2] = ["10.99.0.2", "fd99::2"];

/// A device has addresses and routes, packets pass it both ways, and it goes with all that it had.
pub(super) async fn carries_packets_both_ways() {
    Namespace::new().await.runtime().run(play()).await;
}

async fn play() {
    let netlink = Netlink::open().unwrap();
    let tun = Tun::create(&netlink, Some(&link_name("zt0")), Mtu::TUNNEL).await.unwrap();
    tun.link().set_up().await.unwrap();
    let addresses = NEAR.map(|text| text.parse().unwrap()).into();
    let routes = ["10.99.0.0/24", "fd99::/64"].map(|text| Route::new(text.parse::<Prefix>().unwrap())).into();
    let wanted = LinkConfig { addresses, routes };
    assert_eq!(tun.link().apply(&wanted).await.unwrap().total(), 4);
    assert_eq!(tun.link().apply(&wanted).await.unwrap().total(), 0);
    for (near, far) in NEAR.into_iter().zip(FAR) {
        let socket = UdpSocket::bind(SocketAddr::new(near.parse().unwrap(), 0)).await.unwrap();
        let near = socket.local_addr().unwrap();
        let far = SocketAddr::new(far.parse().unwrap(), 53);
        socket.send_to(b"question", far).await.unwrap();
        let question = bytes::udp(near, far, b"question");
        leaves(&tun, &question).await;
        arrives(&tun, &bytes::udp(far, near, b"answer"), &socket).await;
    }
    drop(tun);
    assert!(Link::find(&netlink, &link_name("zt0")).await.is_err());
}

/// Waits until the kernel has sent a packet with the last bytes of this one: the headers are the kernel's to write.
async fn leaves(tun: &Tun, expected: &[u8]) {
    let payload = expected.last_chunk::<8>().unwrap();
    loop {
        let packet = tun.receive().await.unwrap();
        let addresses = if packet[0] >> 4 == 4 { 12..20 } else { 8..40 };
        if packet.ends_with(payload) && packet[addresses.clone()] == expected[addresses] {
            return;
        }
    }
}

/// Sends a packet until it arrives: the kernel takes packets to a new IPv6 address a moment after it has said that
/// the address is there.
async fn arrives(tun: &Tun, packet: &[u8], socket: &UdpSocket) {
    let mut buffer = [0; 2_000];
    loop {
        tun.send(packet).await.unwrap();
        if let Ok(received) = timeout(Duration::from_millis(20), socket.recv(&mut buffer)).await {
            assert!(packet.ends_with(&buffer[..received.unwrap()]));
            return;
        }
    }
}
