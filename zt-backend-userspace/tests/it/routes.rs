//! A device whose routes change while it uses them.

use std::collections::BTreeMap;

use zt_backend_userspace::RoutesError;
use zt_core::desired::{DeviceRoutes, GatewayRoute};
use zt_core::id::GatewayId;
use zt_core::testing::bytes::udp;

use crate::lab::{DNS, Device, Lab, OTHER, socket};

fn routes(gateways: &[(&Lab, &[&str])]) -> DeviceRoutes {
    let route = |(lab, prefixes): &(&Lab, &[&str])| GatewayRoute {
        public_key: lab.gateway.public_key(),
        endpoint: lab.gateway.local_address(),
        allowed_ips: prefixes.iter().map(|text| text.parse().unwrap()).collect(),
    };
    let named = gateways.iter().enumerate();
    let gateways: BTreeMap<_, _> =
        named.map(|(at, gateway)| (GatewayId::new(&format!("gw{at}")).unwrap(), route(gateway))).collect();
    DeviceRoutes { addresses: Default::default(), gateways }
}

#[tokio::test]
async fn a_prefix_moves_from_one_gateway_to_another() {
    let (mut one, mut two) = (Lab::open().await, Lab::open_as(201).await);
    let device = Device::start(1, &["10.99.0.2"]).await;
    for lab in [&mut one, &mut two] {
        lab.admit(&device, 1);
        lab.grant(&device, &[DNS, OTHER]);
        lab.converge().await;
    }
    let near = socket("10.99.0.2:40000");
    let packet = |data: &[u8]| udp(near, socket("10.100.5.10:5000"), data);
    let apply = async |one: &[&str], two: &[&str], labs: (&Lab, &Lab)| {
        device.tunnel.apply_routes(&routes(&[(labs.0, one), (labs.1, two)])).await.unwrap();
    };
    apply(&["10.100.5.10"], &[], (&one, &two)).await;
    device.send(packet(b"by one")).await;
    assert_eq!(one.arrives().await, packet(b"by one"));
    apply(&[], &["10.100.5.10"], (&one, &two)).await;
    device.send(packet(b"by two")).await;
    assert_eq!(two.arrives().await, packet(b"by two"));
    // a change of the first does not take it back
    apply(&["192.0.2.0/24"], &["10.100.5.10"], (&one, &two)).await;
    device.send(packet(b"by two")).await;
    assert_eq!(two.arrives().await, packet(b"by two"));
    // the more specific prefix wins
    apply(&["10.100.5.10"], &["10.100.0.0/16"], (&one, &two)).await;
    device.send(packet(b"by one")).await;
    assert_eq!(one.arrives().await, packet(b"by one"));
    device.tunnel.apply_routes(&routes(&[(&two, &["10.100.0.0/16"])])).await.unwrap();
    device.send(packet(b"by two")).await;
    assert_eq!(two.arrives().await, packet(b"by two"));
}

#[tokio::test]
async fn routes_that_contradict_each_other_change_nothing() {
    let mut lab = Lab::open().await;
    let device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    let twin = routes(&[(&lab, &["10.1.0.0/16"]), (&lab, &["10.2.0.0/16"])]);
    let key = lab.gateway.public_key();
    assert_eq!(device.tunnel.apply_routes(&twin).await, Err(RoutesError::SameKey(key)));
    let other = Lab::open_as(201).await;
    let shared = routes(&[(&lab, &["10.1.0.0/16"]), (&other, &["10.1.0.0/16"])]);
    let prefix = "10.1.0.0/16".parse().unwrap();
    assert_eq!(device.tunnel.apply_routes(&shared).await, Err(RoutesError::SamePrefix(prefix)));
    let mut own = routes(&[(&lab, &["10.1.0.0/16"])]);
    own.gateways.values_mut().for_each(|route| route.public_key = device.tunnel.public_key());
    assert_eq!(device.tunnel.apply_routes(&own).await, Err(RoutesError::OwnKey));
    let packet = udp(socket("10.99.0.2:40000"), socket("10.100.5.10:5000"), b"as before");
    device.send(packet.clone()).await;
    assert_eq!(lab.arrives().await, packet);
    device.tunnel.stop().await;
    assert_eq!(device.tunnel.apply_routes(&twin).await, Err(RoutesError::SameKey(key)));
    assert_eq!(device.tunnel.apply_routes(&DeviceRoutes::default()).await, Err(RoutesError::Gone));
}
