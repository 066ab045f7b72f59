//! What is granted passes, both ways, and nothing else does.

use std::net::SocketAddr;
use std::time::Duration;

use super::scene::{
    DNS, PING, Played, STAYS, Scene, Service, WEB, between, conversation, fail, other, pair, server,
};
use crate::backend::BackendError;
use crate::desired::{Cell, PairEnd};
use crate::id::RegionId;
use crate::net::{PortRange, Protocol};
use crate::plan::{Add, Cut, Gate, Step};
use crate::testing::bytes;

pub(super) async fn nothing_passes_at_first(scene: &mut Scene) -> Played {
    let device = scene.device(1).await;
    let observed = scene.observe().await?;
    if observed.gate != Gate::Closed || observed.elements != Default::default() {
        return fail("a new gateway has something installed");
    }
    scene.admit(&device);
    scene.grant(&device, &[DNS, STAYS]);
    scene.converge().await?;
    // Everything but the gate.
    let tried = scene.attempts_in_vain(&device, DNS).await?;
    scene.open(Duration::from_hours(1)).await?;
    scene.dropped((&device, tried), STAYS).await?;
    scene.talks(&device, DNS).await
}

pub(super) async fn what_is_granted_passes_and_nothing_else(scene: &mut Scene) -> Played {
    let device = scene.admitted(1, &[WEB, DNS, PING]).await?;
    for service in [WEB, DNS, PING] {
        scene.talks(&device, service).await?;
    }
    let mut tried = [Vec::new(), Vec::new()];
    for family in [0, 1] {
        let far = |host, port| SocketAddr::new(host, port);
        let (here, there) = (server(family), other(family));
        let near = SocketAddr::new(device.addresses[family], 40_001);
        for (to, protocol, what) in [
            (far(here, 444), Protocol::Tcp, "another port"),
            (far(here, 443), Protocol::Udp, "another protocol"),
            (far(here, 5_000), Protocol::Tcp, "another protocol"),
            (far(here, 4_999), Protocol::Udp, "the port below a range"),
            (far(here, 5_100), Protocol::Udp, "the port above a range"),
            (far(there, 443), Protocol::Tcp, "another host"),
            (far(there, 0), Protocol::Echo, "another host"),
        ] {
            let (up, down) = between(near, to, protocol);
            let network = scene.lab.network();
            tried[0].push((scene.sends(&device.end, &up).await, what));
            tried[1].push((scene.sends(&network, &down).await, what));
        }
    }
    scene.dropped((&device, tried), DNS).await
}

pub(super) async fn a_device_has_its_own_addresses_only(scene: &mut Scene) -> Played {
    let honest = scene.admitted(1, &[DNS, STAYS]).await?;
    let spoofer = scene.admitted(2, &[STAYS]).await?;
    scene.talks(&honest, DNS).await?;
    let network = scene.lab.network();
    let mut tried = Vec::new();
    for family in [0, 1] {
        let (up, _) = conversation(&honest, DNS, family);
        tried.push((scene.sends(&spoofer.end, &up).await, "another device's address"));
        let outside = SocketAddr::new(other(family), 40_000);
        let (up, _) = between(outside, SocketAddr::new(server(family), 5_000), Protocol::Udp);
        tried.push((scene.sends(&spoofer.end, &up).await, "an address of the network"));
    }
    scene.dropped((&spoofer, [tried, Vec::new()]), STAYS).await?;
    // What comes back for one device goes to no other.
    let (number, payload) = scene.payload(16);
    let (_, down) = conversation(&honest, DNS, 0);
    network.send(down(&payload)).await;
    scene.await_arrival(&honest.end, number).await?;
    scene.dropped((&spoofer, [Vec::new(), vec![(number, "another device's packet")]]), STAYS).await
}

pub(super) async fn the_network_opens_no_flows(scene: &mut Scene) -> Played {
    let device = scene.admitted(1, &[WEB, DNS, PING, STAYS]).await?;
    // The tunnel is up.
    scene.talks(&device, STAYS).await?;
    let network = scene.lab.network();
    let mut tried = Vec::new();
    for family in [0, 1] {
        for service in [WEB, DNS] {
            let (_, down) = conversation(&device, service, family);
            tried.push((scene.sends(&network, &down).await, "of a flow that the device has not opened"));
        }
        let (here, near) = (server(family), device.addresses[family]);
        let request = move |payload: &[u8]| bytes::echo_request(here, near, 9, payload);
        tried.push((scene.sends(&network, request).await, "an echo request to the device"));
        // The port that is granted is the server's, not the device's.
        let (far, port) = (SocketAddr::new(here, 40_000), SocketAddr::new(near, 5_000));
        tried.push((
            scene.sends(&network, |data| bytes::udp(far, port, data)).await,
            "to a port that is granted",
        ));
    }
    scene.dropped((&device, [Vec::new(), tried]), STAYS).await
}

pub(super) async fn one_grant_of_several_goes_and_comes_back(scene: &mut Scene) -> Played {
    let device = scene.admitted(1, &[DNS, WEB, STAYS]).await?;
    scene.talks(&device, DNS).await?;
    let pairs = [0, 1].map(|family| pair(&device, &DNS, family));
    scene.apply(pairs.map(|pair| Step::Cut(Cut::Pair(pair))).to_vec()).await?;
    let tried = scene.attempts(&device, DNS).await;
    scene.dropped((&device, tried), STAYS).await?;
    scene.talks(&device, WEB).await?;
    scene.apply(pairs.map(|pair| Step::Add(Add::Pair(pair, PairEnd::WithSource))).to_vec()).await?;
    scene.talks(&device, DNS).await
}

/// Two resources share some ports of one host, so that there are three regions. Each resource is two of them.
pub(super) async fn overlapping_resources_are_cut_apart(scene: &mut Scene) -> Played {
    let only_one = Service { ports: (5_000, 5_009), ..DNS };
    let both = Service { ports: (5_010, 5_019), region: 50, ..DNS };
    let only_two = Service { ports: (5_020, 5_029), region: 60, ..DNS };
    let one = scene.admitted(1, &[only_one, both, STAYS]).await?;
    let two = scene.admitted(2, &[both, only_two, STAYS]).await?;
    for (device, services, not) in [(&one, [only_one, both], only_two), (&two, [both, only_two], only_one)] {
        for service in services {
            scene.talks(device, service).await?;
        }
        let tried = scene.attempts(device, not).await;
        scene.dropped((device, tried), STAYS).await?;
    }
    scene.elements.pairs.remove(&pair(&one, &both, 0));
    scene.elements.pairs.remove(&pair(&one, &both, 1));
    scene.converge().await?;
    let tried = scene.attempts(&one, both).await;
    scene.dropped((&one, tried), only_one).await?;
    scene.talks(&two, both).await
}

pub(super) async fn a_prefix_has_one_owner(scene: &mut Scene) -> Played {
    let one = scene.admitted(1, &[STAYS]).await?;
    let two = scene.admitted(2, &[STAYS]).await?;
    for address in one.addresses {
        let prefix = crate::net::Prefix::host(address);
        let step = Step::Add(Add::AllowedIp(two.key, prefix));
        match scene.try_apply(vec![step.clone()]).await {
            Err(BackendError::Step { step: at, .. }) if *at == step => {}
            other => return fail(format!("a prefix that another peer holds: {other:?}")),
        }
    }
    if scene.observe().await?.elements != scene.elements {
        return fail("a refused prefix changed something");
    }
    let crossing = Cell { ports: PortRange { first: 6_999, last: 7_001 }, ..STAYS.cell(0).0 };
    if scene.try_apply(vec![Step::Add(Add::Cell(crossing, RegionId(99)))]).await.is_ok() {
        return fail("a cell that overlaps another was taken");
    }
    scene.talks(&one, STAYS).await?;
    scene.talks(&two, STAYS).await
}
