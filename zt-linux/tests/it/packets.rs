//! Packets, through the kernel and a device.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use rustix::net::sockopt::{set_ip_mtu_discover, set_ipv6_mtu_discover};
use tokio::net::UdpSocket;
use tokio::time::timeout;
use zt_core::net::Prefix;
use zt_linux::{Link, LinkConfig, Mtu, Netlink, PacketError, Route, Tun};

use crate::namespace::{PATIENCE, alone, name, tun};

const NEAR: [&str; 2] = ["10.98.0.1", "fd98::1"];
const FAR: [&str; 2] = ["10.99.0.2", "fd99::2"];

/// A device with both addresses, and with routes to the far ends.
async fn routed(netlink: &Netlink) -> Tun {
    let tun = tun(netlink, "zt0").await;
    let addresses = NEAR.map(|text| text.parse().unwrap()).into();
    let routes = ["10.99.0.0/24", "fd99::/64"].map(|text| Route::new(text.parse::<Prefix>().unwrap())).into();
    tun.link().apply(&LinkConfig { addresses, routes }).await.unwrap();
    tun
}

/// The next UDP packet out of the device: source, destination, payload.
async fn next_udp(tun: &Tun) -> (SocketAddr, SocketAddr, Vec<u8>) {
    let next = async {
        loop {
            if let Some(found) = read_udp(&tun.receive().await.unwrap()) {
                break found;
            }
        }
    };
    timeout(PATIENCE, next).await.expect("a packet")
}

/// What the socket receives next, and from where, when this packet is sent into the device.
///
/// An IPv6 packet is sent until it arrives: to an address that is new, the kernel takes packets a moment after it said
/// that the address is there.
async fn arrives(tun: &Tun, packet: &[u8], socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let again_after = if packet[0] >> 4 == 6 { Duration::from_millis(20) } else { PATIENCE };
    let arrival = async {
        let mut buffer = [0; 2_000];
        loop {
            tun.send(packet).await.unwrap();
            if let Ok(received) = timeout(again_after, socket.recv_from(&mut buffer)).await {
                let (length, from) = received.unwrap();
                break (buffer[..length].to_vec(), from);
            }
        }
    };
    timeout(PATIENCE, arrival).await.expect("a packet")
}

fn read_udp(packet: &[u8]) -> Option<(SocketAddr, SocketAddr, Vec<u8>)> {
    let (source, destination, udp): (IpAddr, IpAddr, &[u8]) = match packet[0] >> 4 {
        4 if packet[9] == 17 => {
            let octets = |at: usize| -> [u8; 4] { packet[at..at + 4].try_into().unwrap() };
            (octets(12).into(), octets(16).into(), &packet[usize::from(packet[0] & 15) * 4..])
        }
        6 if packet[6] == 17 => {
            let octets = |at: usize| -> [u8; 16] { packet[at..at + 16].try_into().unwrap() };
            (octets(8).into(), octets(24).into(), &packet[40..])
        }
        _ => return None,
    };
    let port = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
    Some((SocketAddr::new(source, port(0)), SocketAddr::new(destination, port(2)), udp[8..].to_vec()))
}

/// A UDP packet with right checksums.
fn write_udp(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let mut udp = Vec::new();
    for number in [source.port(), destination.port(), length, 0] {
        udp.extend(number.to_be_bytes());
    }
    udp.extend(payload);
    let (mut packet, addresses) = match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let addresses = [source.octets(), destination.octets()].concat();
            let mut header = vec![0x45, 0];
            header.extend((20 + length).to_be_bytes());
            header.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
            header.extend(&addresses);
            let sum = checksum(&header);
            header[10..12].copy_from_slice(&sum);
            (header, addresses)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let addresses = [source.octets(), destination.octets()].concat();
            let mut header = vec![0x60, 0, 0, 0];
            header.extend(length.to_be_bytes());
            header.extend([17, 64]);
            header.extend(&addresses);
            (header, addresses)
        }
        _ => panic!("one family"),
    };
    let [high, low] = length.to_be_bytes();
    let sum = checksum(&[&addresses[..], &[0, 17, high, low], &udp].concat());
    udp[6..8].copy_from_slice(&sum);
    packet.extend(udp);
    packet
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).unwrap()).to_be_bytes()
}

#[test]
fn packets_pass_both_ways() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = routed(&netlink).await;
        for (near, far) in NEAR.into_iter().zip(FAR) {
            let socket = UdpSocket::bind(SocketAddr::new(near.parse().unwrap(), 0)).await.unwrap();
            let near = socket.local_addr().unwrap();
            let far = SocketAddr::new(far.parse().unwrap(), 53);
            socket.send_to(b"question", far).await.unwrap();
            assert_eq!(next_udp(&tun).await, (near, far, b"question".to_vec()));

            // a wrong checksum first: what the kernel does not take must not be what makes the right one arrive
            let mut wrong = write_udp(far, near, b"forged");
            let last = wrong.len() - 1;
            wrong[last] ^= 1;
            tun.send(&wrong).await.unwrap();
            let answer = write_udp(far, near, b"answer");
            assert_eq!(arrives(&tun, &answer, &socket).await, (b"answer".to_vec(), far));
        }
    });
}

#[test]
fn packets_without_a_route_do_not_come_here() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let _tun = routed(&netlink).await;
        let socket = UdpSocket::bind("10.98.0.1:0").await.unwrap();
        let refused = socket.send_to(b"lost", "10.97.0.1:53").await.unwrap_err();
        assert_eq!(Errno::from_io_error(&refused), Some(Errno::NETUNREACH));
    });
}

#[test]
fn packets_are_as_long_as_the_mtu_and_no_longer() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = routed(&netlink).await;
        for (near, far, headers) in [(NEAR[0], FAR[0], 28), (NEAR[1], FAR[1], 48)] {
            let socket = UdpSocket::bind(SocketAddr::new(near.parse().unwrap(), 0)).await.unwrap();
            if near.contains(':') {
                set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::DO).unwrap();
            } else {
                set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DO).unwrap();
            }
            let far: SocketAddr = SocketAddr::new(far.parse().unwrap(), 53);
            let fits = vec![7; 1_420 - headers];
            let refused = socket.send_to(&[&fits[..], &[7]].concat(), far).await.unwrap_err();
            assert_eq!(Errno::from_io_error(&refused), Some(Errno::MSGSIZE));
            socket.send_to(&fits, far).await.unwrap();
            assert_eq!(next_udp(&tun).await.2, fits);

            let near = socket.local_addr().unwrap();
            let longest = write_udp(far, near, &fits);
            assert_eq!(longest.len(), 1_420);
            let longer = write_udp(far, near, &[&fits[..], &[7]].concat());
            assert!(matches!(tun.send(&longer).await, Err(PacketError::TooLong(Mtu::TUNNEL))));
            assert_eq!(arrives(&tun, &longest, &socket).await.0, fits);
        }
    });
}

#[test]
fn a_packet_that_does_not_fit_is_an_error_and_the_next_one_arrives() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = routed(&netlink).await;
        tun.link().set_mtu(Mtu::new(1_421).unwrap()).await.unwrap();
        let socket = UdpSocket::bind("10.98.0.1:0").await.unwrap();
        socket.send_to(&[7; 1_421 - 28], "10.99.0.2:53").await.unwrap();
        socket.send_to(b"short", "10.99.0.2:53").await.unwrap();
        let error = timeout(PATIENCE, async {
            loop {
                if let Err(error) = tun.receive().await {
                    break error;
                }
            }
        });
        assert!(matches!(error.await.unwrap(), PacketError::TooLong(Mtu::TUNNEL)));
        assert_eq!(next_udp(&tun).await.2, b"short");
    });
}

#[test]
fn what_is_no_packet_and_what_comes_while_down_is_refused() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = routed(&netlink).await;
        let good = write_udp("10.99.0.2:1".parse().unwrap(), "10.98.0.1:2".parse().unwrap(), b"");
        let six = [&[0x60][..], &[0; 38]].concat();
        for bad in [&[][..], &[0x45], &good[..19], &six, &[0; 40], &[0x50; 40]] {
            assert!(matches!(tun.send(bad).await, Err(PacketError::NotIp)));
        }
        tun.send(&good).await.unwrap();
        tun.link().set_down().await.unwrap();
        assert!(matches!(tun.send(&good).await, Err(PacketError::Down)));
        Link::find(&netlink, &name("zt0")).await.unwrap().set_up().await.unwrap();
        tun.send(&good).await.unwrap();
    });
}
