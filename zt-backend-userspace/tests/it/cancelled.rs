//! Calls that are dropped before they return.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::Poll;

use zt_core::backend::Backend as _;
use zt_core::desired::{DeviceRoutes, Elements, GatewayRoute, Peer};
use zt_core::id::GatewayId;
use zt_core::net::Prefix;
use zt_core::testing::bytes::udp;

use crate::lab::{DNS, Device, Lab, address, key, socket};

/// Polls a future once, in which so many of tokio's operations go through and the next one waits, and drops it.
pub(crate) async fn cancelled_after(operations: usize, future: impl Future) {
    const BUDGET: usize = 128; // after so many, tokio has every operation wait for the next turn
    tokio::task::yield_now().await;
    let lock = tokio::sync::Mutex::new(());
    for _ in operations..BUDGET {
        drop(lock.lock().await);
    }
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        let _ = future.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

/// INV-D5: what a gateway believes of its peers after a plan that was dropped anywhere is what WireGuard has.
#[tokio::test]
async fn inv_d5_a_plan_that_is_cancelled_leaves_nothing_that_the_next_one_does_not_repair() {
    let mut lab = Lab::open().await;
    let with_peers = |peers: &[(u8, &[&str])]| {
        let peer = |(seed, addresses): &(u8, &[&str])| {
            let allowed_ips = addresses.iter().map(|text| Prefix::host(address(text))).collect();
            (key(*seed).public_key(), Peer { allowed_ips })
        };
        Elements { peers: peers.iter().map(peer).collect(), ..Elements::default() }
    };
    // an address changes hands, a peer comes, one goes, one gets an address more
    let one = with_peers(&[(1, &["10.99.0.1"]), (2, &["10.99.0.2"]), (3, &["10.99.0.3"])]);
    let two = with_peers(&[(1, &["10.99.0.1", "10.99.0.2"]), (2, &["10.99.0.9"]), (4, &["10.99.0.4"])]);
    for operations in 0..24 {
        lab.elements = one.clone();
        lab.converge().await;
        assert_eq!(lab.gateway.observe().await.unwrap().elements.peers, one.peers);
        lab.elements = two.clone();
        let plan = lab.plan().await;
        cancelled_after(operations, lab.gateway.apply(&plan)).await;
        for (key, peer) in lab.gateway.observe().await.unwrap().elements.peers {
            let sides: Vec<&Peer> = [&one, &two].iter().filter_map(|side| side.peers.get(&key)).collect();
            let is_known = |prefix| sides.iter().any(|side| side.allowed_ips.contains(prefix));
            assert!(!sides.is_empty() && peer.allowed_ips.iter().all(is_known), "{operations}");
        }
        lab.converge().await;
        assert_eq!(lab.gateway.observe().await.unwrap().elements.peers, two.peers, "{operations}");
    }
}

fn routes(gateways: &[(&Lab, &str)]) -> DeviceRoutes {
    let route = |(at, (lab, prefix)): (usize, &(&Lab, &str))| {
        let (public_key, endpoint) = (lab.gateway.public_key(), lab.gateway.local_address());
        let route = GatewayRoute { public_key, endpoint, allowed_ips: [prefix.parse().unwrap()].into() };
        (GatewayId::new(&format!("gw{at}")).unwrap(), route)
    };
    let gateways: BTreeMap<_, _> = gateways.iter().enumerate().map(route).collect();
    DeviceRoutes { addresses: Default::default(), gateways }
}

/// A tunnel whose `reconnect` was dropped while it waited for WireGuard did not know that it still had that gateway: no
/// later routes took it away, and the more specific of its prefixes went on leading there.
#[tokio::test]
async fn a_gateway_stays_no_route_of_a_device_when_a_call_was_cancelled() {
    let (mut one, mut two) = (Lab::open().await, Lab::open_as(201).await);
    let device = Device::start(1, &["10.99.0.2"]).await;
    for lab in [&mut one, &mut two] {
        lab.admit(&device, 1);
        lab.grant(&device, &[DNS]);
        lab.converge().await;
    }
    let narrow = routes(&[(&one, "10.100.5.10")]);
    let both = routes(&[(&one, "10.100.5.10"), (&two, "10.100.0.0/16")]);
    let wide = routes(&[(&two, "10.100.0.0/16")]);
    for operations in 0..12 {
        let packet = |data| udp(socket("10.99.0.2:40000"), socket("10.100.5.10:5000"), &[data, operations]);
        device.tunnel.apply_routes(&narrow).await.unwrap();
        cancelled_after(operations.into(), device.tunnel.reconnect(&one.gateway.public_key())).await;
        device.tunnel.apply_routes(&wide).await.unwrap();
        device.send(packet(1)).await;
        assert_eq!(two.arrives().await, packet(1));
        cancelled_after(operations.into(), device.tunnel.apply_routes(&both)).await;
        device.tunnel.apply_routes(&wide).await.unwrap();
        device.send(packet(2)).await;
        assert_eq!(two.arrives().await, packet(2));
    }
}
