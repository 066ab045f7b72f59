//! Packets that are not plain: errors, fragments, extension headers, and what is no packet.

use std::net::{IpAddr, SocketAddr};

use super::scene::{DNS, Played, STAYS, Scene, conversation, pair, server};
use crate::plan::{Cut, Step};
use crate::testing::bytes;

/// An error that quotes a packet of the device's flow to a service, or of its way back.
fn quotes(scene: &mut Scene, (device, family): (&super::scene::Device, usize), up: bool) -> (u64, Vec<u8>) {
    let (number, payload) = scene.payload(16);
    let (wrap_up, wrap_down) = conversation(device, DNS, family);
    let (near, router) = (device.addresses[family], server(family));
    if up {
        // The device reports on what came to it.
        (number, bytes::unreachable(near, router, &wrap_down(&payload)))
    } else {
        (number, bytes::unreachable(router, near, &wrap_up(&payload)))
    }
}

pub(super) async fn errors_pass_if_what_they_quote_would(scene: &mut Scene) -> Played {
    let device = scene.admitted(1, &[DNS, STAYS]).await?;
    let network = scene.lab.network();
    let mut early = [Vec::new(), Vec::new()];
    for family in [0, 1] {
        let (number, packet) = quotes(scene, (&device, family), true);
        device.end.send(packet).await;
        early[0].push((number, "an error about a flow that was never opened"));
        let (number, packet) = quotes(scene, (&device, family), false);
        network.send(packet).await;
        early[1].push((number, "an error about a flow that was never opened"));
    }
    scene.dropped((&device, early), STAYS).await?;
    scene.talks(&device, DNS).await?;
    let mut forged = [Vec::new(), Vec::new()];
    for family in [0, 1] {
        let (number, packet) = quotes(scene, (&device, family), true);
        device.end.send(packet).await;
        scene.await_arrival(&network, number).await?;
        let (number, packet) = quotes(scene, (&device, family), false);
        network.send(packet).await;
        scene.await_arrival(&device.end, number).await?;
        // To another host than the one that the quoted packet came from.
        let (number, payload) = scene.payload(16);
        let about = conversation(&device, DNS, family).1(&payload);
        let elsewhere: IpAddr = super::scene::other(family);
        device.end.send(bytes::unreachable(device.addresses[family], elsewhere, &about)).await;
        forged[0].push((number, "an error to another host than the quoted sender"));
    }
    let pairs = [0, 1].map(|family| Step::Cut(Cut::Pair(pair(&device, &DNS, family))));
    scene.dropped((&device, forged), STAYS).await?;
    scene.apply(pairs.to_vec()).await?;
    let mut late = [Vec::new(), Vec::new()];
    for family in [0, 1] {
        let (number, packet) = quotes(scene, (&device, family), true);
        device.end.send(packet).await;
        late[0].push((number, "an error about a flow that was cut"));
        let (number, packet) = quotes(scene, (&device, family), false);
        network.send(packet).await;
        late[1].push((number, "an error about a flow that was cut"));
    }
    scene.dropped((&device, late), STAYS).await
}

pub(super) async fn fragments_pass_if_the_packet_would(scene: &mut Scene) -> Played {
    let device = scene.admitted(1, &[DNS, STAYS]).await?;
    let network = scene.lab.network();
    scene.talks(&device, DNS).await?;
    for family in [0, 1] {
        let (up, down) = conversation(&device, DNS, family);
        for (from, to, wrap) in [(&device.end, &network, up), (&network, &device.end, down)] {
            for (length, reversed) in [(1_600, false), (4_000, false), (4_000, true)] {
                let (number, payload) = scene.payload(length);
                let id = u32::try_from(number).unwrap_or(0);
                let mut pieces = bytes::fragments(&wrap(&payload), 1_200, id);
                if reversed {
                    pieces.reverse();
                }
                for piece in pieces {
                    from.send(piece).await;
                }
                scene.await_arrival(to, number).await?;
            }
        }
    }
    let mut tried = [Vec::new(), Vec::new()];
    for family in [0, 1] {
        let near = SocketAddr::new(device.addresses[family], 40_000);
        let far = SocketAddr::new(server(family), 4_000);
        for (place, from) in [&device.end, &network].into_iter().enumerate() {
            let (number, payload) = scene.payload(4_000);
            let id = u32::try_from(number).unwrap_or(0);
            let whole =
                if place == 0 { bytes::udp(near, far, &payload) } else { bytes::udp(far, near, &payload) };
            for piece in bytes::fragments(&whole, 1_200, id) {
                from.send(piece).await;
            }
            tried[place].push((number, "fragments of a packet that is not granted"));
            // A later fragment says nothing of ports; on its own it goes nowhere.
            let (number, payload) = scene.payload(4_000);
            let id = u32::try_from(number).unwrap_or(0);
            let granted = SocketAddr::new(far.ip(), 5_000);
            let whole = if place == 0 {
                bytes::udp(near, granted, &payload)
            } else {
                bytes::udp(granted, near, &payload)
            };
            if let Some(first) = bytes::fragments(&whole, 1_200, id).into_iter().next() {
                from.send(first).await;
            }
            tried[place].push((number, "a fragment without the rest"));
        }
    }
    scene.dropped((&device, tried), STAYS).await
}

pub(super) async fn extension_headers_pass_but_routes_do_not(scene: &mut Scene) -> Played {
    let device = scene.admitted(1, &[DNS, STAYS]).await?;
    let network = scene.lab.network();
    scene.talks(&device, DNS).await?;
    let (up, down) = conversation(&device, DNS, 1);
    for wrap in [0, 1] {
        let (from, to, wrap) =
            if wrap == 0 { (&device.end, &network, &up) } else { (&network, &device.end, &down) };
        let options = |payload: &[u8]| bytes::with_extension(&wrap(payload), 60);
        scene.passes((from, to), options).await?;
    }
    let route = |payload: &[u8]| bytes::with_extension(&up(payload), 43);
    let mut tried = [Vec::new(), Vec::new()];
    tried[0].push((scene.sends(&device.end, route).await, "a routing header"));
    let route = |payload: &[u8]| bytes::with_extension(&down(payload), 43);
    tried[1].push((scene.sends(&network, route).await, "a routing header"));
    scene.dropped((&device, tried), STAYS).await
}

pub(super) async fn what_is_no_packet_is_dropped(scene: &mut Scene) -> Played {
    let device = scene.admitted(1, &[DNS, STAYS]).await?;
    let network = scene.lab.network();
    scene.talks(&device, DNS).await?;
    let mut tried = [Vec::new(), Vec::new()];
    for family in [0, 1] {
        let (up, down) = conversation(&device, DNS, family);
        for (place, (from, wrap)) in [(&device.end, up), (&network, down)].into_iter().enumerate() {
            let transport = if family == 0 { 20 } else { 40 };
            for (at, byte, what) in [
                (0, 0x55_u8, "IP version 5"),
                (if family == 0 { 9 } else { 6 }, 132, "a protocol that nobody grants"),
                (transport + 4, 0xff, "a UDP length beyond the packet"),
            ] {
                let broken = |payload: &[u8]| {
                    let mut packet = wrap(payload);
                    if let Some(slot) = packet.get_mut(at) {
                        *slot = byte;
                    }
                    packet
                };
                tried[place].push((scene.sends(from, broken).await, what));
            }
        }
    }
    for from in [&device.end, &network] {
        for length in [0, 1, 19, 39] {
            from.send(vec![0x45; length]).await;
        }
    }
    scene.dropped((&device, tried), STAYS).await
}
