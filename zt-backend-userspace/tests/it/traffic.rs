//! What passes, and what does not.

use zt_backend_userspace::{Gateway, GatewayConfig};
use zt_core::testing::bytes::{echo_reply, echo_request, tcp, udp, unreachable};

use crate::lab::{DNS, DNS6, Lab, PING, PING6, SERVER, SERVER6, WEB, address, key, socket};

#[tokio::test]
async fn what_is_granted_passes_both_ways() {
    let mut lab = Lab::open().await;
    let grants = [WEB, DNS, PING, DNS6, PING6];
    let mut device = lab.device(1, &["10.99.0.2", "fd99::2"], &grants).await;
    let cases = [
        ("10.99.0.2:40000", "10.100.5.10:443"),
        ("10.99.0.2:40000", "10.100.5.10:5000"),
        ("10.99.0.2:40000", "10.100.5.10:5099"),
        ("[fd99::2]:40000", "[fd10:100:5::10]:5050"),
    ];
    for (near, far) in cases {
        let (near, far) = (socket(near), socket(far));
        let (there, back) = if far.port() == 443 {
            (tcp(near, far, 0x02, b""), tcp(far, near, 0x12, b""))
        } else {
            (udp(near, far, b"there"), udp(far, near, b"back"))
        };
        device.send(there.clone()).await;
        assert_eq!(lab.arrives().await, there);
        lab.reply(back.clone()).await;
        assert_eq!(device.arrives().await, back);
        // a report about either
        let report = unreachable(far.ip(), near.ip(), &there);
        lab.reply(report.clone()).await;
        assert_eq!(device.arrives().await, report);
        let report = unreachable(near.ip(), far.ip(), &back);
        device.send(report.clone()).await;
        assert_eq!(lab.arrives().await, report);
    }
    for (near, far) in [("10.99.0.2", SERVER), ("fd99::2", SERVER6)] {
        let (near, far) = (address(near), address(far));
        device.send(echo_request(near, far, 7, b"ping")).await;
        assert_eq!(lab.arrives().await, echo_request(near, far, 7, b"ping"));
        lab.reply(echo_reply(far, near, 7, b"ping")).await;
        assert_eq!(device.arrives().await, echo_reply(far, near, 7, b"ping"));
    }
}

#[tokio::test]
async fn a_gateway_on_all_addresses_is_reached_by_both_families() {
    for (listen, host) in
        [("[::]:0", "127.0.0.1"), ("[::]:0", "::1"), ("[::1]:0", "::1"), ("0.0.0.0:0", "127.0.0.1")]
    {
        let lab = Lab::open().await;
        let config = GatewayConfig {
            private_key: key(201),
            underlay: socket(listen).into(),
            clock: lab.clock.clone(),
        };
        let (gateway, network) = Gateway::start(config).await.unwrap();
        let mut lab = Lab { gateway, network, ..lab };
        lab.gate(crate::lab::PATIENCE).await;
        let local = if host == "::1" { "[::1]:0" } else { "127.0.0.1:0" };
        let device = lab.device_at(1, &["10.99.0.2"], (local, host)).await;
        lab.grant(&device, &[DNS]);
        lab.converge().await;
        let packet = udp(socket("10.99.0.2:1"), socket("10.100.5.10:5000"), b"there");
        device.send(packet.clone()).await;
        assert_eq!(lab.arrives().await, packet, "{listen} {host}");
    }
}
