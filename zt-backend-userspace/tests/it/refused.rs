//! What is dropped. Each packet is followed by one on the same way that passes.

use zt_backend_userspace::{Gateway, GatewayConfig};
use zt_core::net::Prefix;
use zt_core::testing::bytes::{echo_reply, echo_request, icmp, tcp, udp, unreachable};

use crate::lab::{DNS, DNS6, Device, Lab, PING, SERVER, WEB, address, key, loopback, socket};

/// A lab with one device that has both families and all grants but one.
async fn lab() -> (Lab, Device) {
    let mut lab = Lab::open().await;
    let device = lab.device(1, &["10.99.0.2", "fd99::2"], &[WEB, DNS, PING, DNS6]).await;
    (lab, device)
}

/// Sends packets of which none may arrive, then one that does.
async fn none_arrives(lab: &mut Lab, device: &Device, packets: Vec<Vec<u8>>) {
    for packet in packets {
        let control = udp(socket("10.99.0.2:40000"), socket("10.100.5.10:5000"), b"control");
        device.send(packet.clone()).await;
        device.send(control.clone()).await;
        assert_eq!(lab.arrives().await, control, "{packet:x?}");
    }
}

#[tokio::test]
async fn inv_g5_what_is_not_granted_does_not_pass() {
    let (mut lab, device) = lab().await;
    let near = socket("10.99.0.2:40000");
    let packets = vec![
        udp(near, socket("10.100.5.10:4999"), b"port below"),
        udp(near, socket("10.100.5.10:5100"), b"port above"),
        udp(near, socket("10.100.5.10:443"), b"other protocol"),
        tcp(near, socket("10.100.5.10:5000"), 0x02, b"other protocol"),
        tcp(near, socket("10.100.5.11:443"), 0x02, b"host above"),
        udp(near, socket("10.100.5.9:5000"), b"host below"),
        echo_request(near.ip(), address("10.100.5.11"), 1, b"other host"),
        udp(socket("[fd99::2]:40000"), socket("[fd10:100:5::11]:5000"), b"other host"),
        tcp(socket("[fd99::2]:40000"), socket("[fd10:100:5::10]:443"), 0x02, b"granted in IPv4 only"),
        echo_request(address("fd99::2"), address("fd10:100:5::10"), 1, b"granted in IPv4 only"),
        udp(near, socket("10.99.0.3:5000"), b"another device"),
        udp(near, socket("127.0.0.1:5000"), b"the gateway"),
    ];
    none_arrives(&mut lab, &device, packets).await;
}

#[tokio::test]
async fn inv_g4_another_ones_source_address_is_not_forwarded() {
    let (mut lab, device) = lab().await;
    lab.device(2, &["10.99.0.3", "fd99::3"], &[DNS, DNS6]).await;
    // an address that cryptokey routing lets the peer use, but that no session has
    let peer = lab.elements.peers.get_mut(&device.tunnel.public_key()).unwrap();
    peer.allowed_ips.insert(Prefix::host(address("10.99.0.77")));
    lab.converge().await;
    let (far, far6) = (socket("10.100.5.10:5000"), socket("[fd10:100:5::10]:5000"));
    let packets = vec![
        udp(socket("10.99.0.3:40000"), far, b"another device's"),
        udp(socket("[fd99::3]:40000"), far6, b"another device's"),
        udp(socket("10.99.0.77:40000"), far, b"nobody's session"),
        udp(socket("10.99.0.4:40000"), far, b"nobody's"),
        udp(socket("10.100.5.10:5000"), far, b"the resource's"),
        udp(socket("127.0.0.1:5000"), far, b"the gateway's"),
    ];
    none_arrives(&mut lab, &device, packets).await;
}

#[tokio::test]
async fn inv_g5_packets_that_are_no_part_of_a_conversation_do_not_pass() {
    let (mut lab, device) = lab().await;
    let (near, far) = (socket("10.99.0.2:40000"), socket("10.100.5.10:5000"));
    let mut fragment = udp(near, far, b"first fragment");
    fragment[6] = 0x20;
    let foreign = udp(socket("10.100.5.10:5000"), socket("10.99.0.2:9"), b"of no flow");
    let own = udp(far, near, b"of the control's flow");
    let packets = vec![
        fragment,
        echo_reply(near.ip(), address(SERVER), 1, b"answers nothing"),
        icmp(near.ip(), address(SERVER), 5, &[0; 36]),
        icmp(address("fd99::2"), address("fd10:100:5::10"), 135, &[0; 20]),
        unreachable(near.ip(), address(SERVER), &foreign),
        unreachable(near.ip(), address("10.100.5.11"), &own),
        b"\x45".repeat(60),
    ];
    device.send(udp(near, far, b"opens")).await;
    lab.arrives().await;
    none_arrives(&mut lab, &device, packets).await;
}

#[tokio::test]
async fn inv_g5_nobody_reaches_a_device_but_in_answer() {
    let (mut lab, mut device) = lab().await;
    let (near, far) = (socket("10.99.0.2:40000"), socket("10.100.5.10:5000"));
    device.send(udp(near, far, b"opens")).await;
    lab.arrives().await;
    let sent = udp(near, far, b"opens");
    let packets = vec![
        udp(far, socket("10.99.0.2:40001"), b"other device port"),
        udp(socket("10.100.5.10:5001"), near, b"other resource port"),
        udp(socket("10.100.5.11:5000"), near, b"other host"),
        tcp(far, near, 0x02, b"other protocol"),
        tcp(socket("10.100.5.10:443"), near, 0x02, b"granted, but not opened"),
        echo_request(far.ip(), near.ip(), 1, b"asks the device"),
        echo_reply(far.ip(), near.ip(), 1, b"answers nothing"),
        unreachable(far.ip(), near.ip(), &udp(near, socket("10.100.5.10:5001"), b"not sent")),
    ];
    for packet in packets {
        lab.reply(packet.clone()).await;
        lab.reply(udp(far, near, b"control")).await;
        assert_eq!(device.arrives().await, udp(far, near, b"control"), "{packet:x?}");
    }
    // from a router on the way
    let report = unreachable(address("192.0.2.1"), near.ip(), &sent);
    lab.reply(report.clone()).await;
    assert_eq!(device.arrives().await, report);
}

#[tokio::test]
async fn without_its_filter_a_gateway_protects_nothing() {
    let lab = Lab::closed().await;
    let config =
        GatewayConfig { private_key: key(201), underlay: loopback().into(), clock: lab.clock.clone() };
    let (gateway, network) = Gateway::dangerously_start_without_filter(config).await.unwrap();
    let mut bare = Lab { gateway, network, ..lab };
    let device = bare.device(1, &["10.99.0.2"], &[]).await;
    let packet = udp(socket("10.99.0.2:40000"), socket("192.0.2.1:22"), b"never granted");
    device.send(packet.clone()).await;
    assert_eq!(bare.arrives().await, packet);
}
