//! What senders learn of the size of packets that pass: from the opening of a TCP connection, and from ICMP.

use std::net::SocketAddr;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::TcpMaxSeg;
use rustix::io::Errno;
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use rustix::net::sockopt::{ip_mtu, ipv6_mtu, set_ip_mtu_discover, set_ipv6_mtu_discover};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::namespace::with_namespaces;
use super::transfer::{download, segments, upload};
use super::world::{ADDRESSES, SERVERS, Shape, World};
use crate::lab::{PATIENCE, address};

/// The timestamps that each segment carries.
const OPTIONS: u32 = 12;

/// How long segments may be that a socket sends, and that the server sends to it.
async fn both_segments(stream: &mut TcpStream) -> [u32; 2] {
    [getsockopt(&*stream, TcpMaxSeg).unwrap(), segments(stream).await]
}

fn segments_fit_1420_bytes(shape: Shape) {
    with_namespaces(|| async move {
        let world = World::open(shape).await;
        for (from, server, headers) in [(ADDRESSES[0], SERVERS[0], 40), (ADDRESSES[1], SERVERS[1], 60)] {
            let mut stream = world.connect(from, server, 443).await;
            assert_eq!(both_segments(&mut stream).await, [1_420 - headers - OPTIONS; 2]);
            download(&mut world.connect(from, server, 443).await).await;
            upload(&mut world.connect(from, server, 443).await).await;
        }
    });
}

/// Both kernels believe that 1,500 bytes pass, so that what the segments fit is not their doing.
#[test]
fn the_gateway_holds_connections_to_segments_that_fit() {
    segments_fit_1420_bytes(Shape { device: 1_500, links: Some(1_500), ..Shape::USUAL });
}

#[test]
fn the_device_holds_connections_to_segments_that_fit() {
    segments_fit_1420_bytes(Shape { gateway: 1_500, links: Some(1_500), ..Shape::USUAL });
}

/// The control of the two tests above.
#[test]
fn devices_of_1500_bytes_hold_nobody_to_less() {
    with_namespaces(|| async {
        let world = World::open(Shape { device: 1_500, gateway: 1_500, ..Shape::USUAL }).await;
        let mut stream = world.connect(ADDRESSES[0], SERVERS[0], 443).await;
        assert_eq!(both_segments(&mut stream).await, [1_500 - 40 - OPTIONS; 2]);
    });
}

#[test]
fn senders_behind_the_gateway_hear_that_a_packet_is_too_big() {
    with_namespaces(|| async {
        let world = World::open(Shape::USUAL).await;
        for (at_device, at_server, headers) in
            [(ADDRESSES[0], SERVERS[0], 28), (ADDRESSES[1], SERVERS[1], 48)]
        {
            world.server.enter();
            let server = UdpSocket::bind((address(at_server), 5_000)).await.unwrap();
            world.device.enter();
            let device = UdpSocket::bind((address(at_device), 0)).await.unwrap();
            device.connect((address(at_server), 5_000)).await.unwrap();
            device.send(b"question").await.unwrap();
            let mut buffer = [0; 2_000];
            let (_, peer) = timeout(PATIENCE, server.recv_from(&mut buffer)).await.unwrap().unwrap();
            server.connect(peer).await.unwrap();
            never_split(&server, peer);
            server.send(&[1; 1_450]).await.unwrap();
            let error = timeout(PATIENCE, server.recv(&mut buffer)).await.unwrap().unwrap_err();
            assert_eq!(Errno::from_io_error(&error), Some(Errno::MSGSIZE));
            let mtu = if peer.is_ipv4() { ip_mtu(&server) } else { ipv6_mtu(&server) };
            assert_eq!(mtu, Ok(1_420));

            let fits = vec![2; 1_420 - headers];
            server.send(&fits).await.unwrap();
            let length = timeout(PATIENCE, device.recv(&mut buffer)).await.unwrap().unwrap();
            assert_eq!(buffer[..length], fits);
        }
    });
}

fn never_split(socket: &UdpSocket, peer: SocketAddr) {
    if peer.is_ipv4() {
        set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::DO).unwrap();
    } else {
        set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::DO).unwrap();
    }
}

/// Neither end of the connection is on the narrow link, so nothing but the ICMP error tells the device of it.
#[test]
fn devices_hear_that_a_packet_is_too_big_behind_the_gateway() {
    with_namespaces(|| async {
        let world = World::open(Shape { behind: 1_300, ..Shape::USUAL }).await;
        for (from, server, headers) in [(ADDRESSES[0], SERVERS[0], 40), (ADDRESSES[1], SERVERS[1], 60)] {
            let mut stream = world.connect(from, server, 443).await;
            assert_eq!(getsockopt(&stream, TcpMaxSeg), Ok(1_420 - headers - OPTIONS));
            upload(&mut stream).await;
            assert_eq!(getsockopt(&stream, TcpMaxSeg), Ok(1_300 - headers - OPTIONS));
        }
    });
}
