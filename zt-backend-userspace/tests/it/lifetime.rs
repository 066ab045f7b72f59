//! How gateways and tunnels end.

use std::sync::Arc;

use tokio::time::timeout;
use zt_backend_userspace::{Gateway, GatewayConfig, RoutesError, StartError, Tunnel, TunnelConfig};
use zt_core::backend::{Backend as _, BackendError};
use zt_core::desired::DeviceRoutes;
use zt_core::plan::{Gate, Plan};
use zt_core::testing::bytes::udp;

use crate::cancelled::cancelled_after;
use crate::lab::{DNS, Lab, PATIENCE, eventually, key, socket};

#[tokio::test]
async fn a_stopped_gateway_is_gone_and_its_ports_end() {
    let mut lab = Lab::open().await;
    let mut device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    let packet = udp(socket("10.99.0.2:40000"), socket("10.100.5.10:5000"), b"before");
    device.send(packet.clone()).await;
    assert_eq!(lab.arrives().await, packet);
    let underlay = lab.gateway.local_address().into();
    lab.gateway.stop().await;
    lab.gateway.stop().await;
    let config = GatewayConfig { private_key: key(3), underlay, clock: lab.clock.clone() };
    Gateway::start(config).await.expect("its address is free");
    assert!(matches!(lab.gateway.observe().await, Err(BackendError::Gone(_))));
    let nothing = Plan { generation: lab.generation, now: lab.now(), steps: Vec::new() };
    assert!(matches!(lab.gateway.apply(&nothing).await, Err(BackendError::Gone(_))));
    device.send(packet).await;
    assert_eq!(timeout(PATIENCE, lab.network.receiver.recv()).await, Ok(None));
    timeout(PATIENCE, lab.network.sender.closed()).await.unwrap();
    device.tunnel.stop().await;
    assert_eq!(timeout(PATIENCE, device.port.receiver.recv()).await, Ok(None));
}

/// A stop that was cancelled took with it what there was to stop: the next one returned while the socket was still held.
#[tokio::test]
async fn the_address_is_free_after_a_stop_that_follows_a_cancelled_one() {
    for operations in 1..24 {
        let mut lab = Lab::open().await;
        let device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
        let underlay = lab.gateway.local_address().into();
        cancelled_after(operations, lab.gateway.stop()).await;
        assert!(matches!(lab.gateway.observe().await, Err(BackendError::Gone(_))), "{operations}");
        let nothing = Plan { generation: lab.generation, now: lab.now(), steps: Vec::new() };
        assert!(matches!(lab.gateway.apply(&nothing).await, Err(BackendError::Gone(_))), "{operations}");
        lab.gateway.stop().await;
        let config = GatewayConfig { private_key: key(3), underlay, clock: lab.clock.clone() };
        Gateway::start(config).await.expect("its address is free");

        let underlay = device.tunnel.local_address().into();
        cancelled_after(operations, device.tunnel.stop()).await;
        let routes = device.tunnel.apply_routes(&DeviceRoutes::default()).await;
        assert_eq!(routes, Err(RoutesError::Gone), "{operations}");
        device.tunnel.stop().await;
        let config = TunnelConfig { private_key: key(3), underlay };
        Tunnel::start(config).await.expect("its address is free");
    }
}

#[tokio::test]
async fn a_dropped_gateway_ends_its_ports_and_frees_its_address() {
    let Lab { gateway, mut network, clock, .. } = Lab::open().await;
    let listen = gateway.local_address();
    let config =
        || GatewayConfig { private_key: key(3), underlay: listen.into(), clock: Arc::clone(&clock) as _ };
    let taken = Gateway::start(config()).await;
    assert!(matches!(taken, Err(StartError::Bind { address, .. }) if address == listen));
    drop(gateway);
    assert_eq!(timeout(PATIENCE, network.receiver.recv()).await, Ok(None));
    let again = async {
        loop {
            match Gateway::start(config()).await {
                Ok(started) => break started,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let (gateway, _port) = timeout(PATIENCE, again).await.unwrap();
    assert_eq!(gateway.observe().await.unwrap().gate, Gate::Closed);
}

#[tokio::test]
async fn a_gateway_outlives_its_port() {
    let mut lab = Lab::open().await;
    let device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    let (_, unused) = tokio::sync::mpsc::channel(1);
    drop(std::mem::replace(&mut lab.network.receiver, unused));
    let lost = |lab: &Lab| lab.gateway.counts().from_devices.dropped.values().sum::<u64>();
    let before = lost(&lab);
    device.send(udp(socket("10.99.0.2:40000"), socket("10.100.5.10:5000"), b"to nobody")).await;
    eventually(|| lost(&lab) > before).await;
    lab.converge().await;
    assert_eq!(lab.gateway.observe().await.unwrap().elements, lab.elements);
}
