//! Programs that use TCP and UDP through real tunnels on TUN devices, over links of several MTUs.

mod namespace;
mod sizes;
mod transfer;
mod world;

use self::namespace::with_namespaces;
use self::transfer::{MEGABYTE, download, upload};
use self::world::{ADDRESSES, SERVERS, Shape, UNGRANTED, World};
use crate::lab::eventually;

/// A download and an upload in each family; says how many outer packets had to be put together again on either side.
async fn transfer(world: &World) -> [u64; 2] {
    for (from, server) in ADDRESSES.into_iter().zip(SERVERS) {
        download(&mut world.connect(from, server, 443).await).await;
        upload(&mut world.connect(from, server, 443).await).await;
    }
    [&world.device, &world.gateway].map(|namespace| namespace.reassembled())
}

fn a_megabyte_passes_over_1400_bytes(shape: Shape) {
    with_namespaces(|| async move {
        let world = World::open(shape).await;
        let reassembled = transfer(&world).await;
        // one transfer in each family
        let least = u64::try_from(2 * MEGABYTE / 1_420).unwrap();
        assert!(reassembled.iter().all(|count| *count >= least), "{reassembled:?} of {least}");
    });
}

#[test]
fn a_megabyte_passes_over_1400_bytes_at_the_device() {
    a_megabyte_passes_over_1400_bytes(Shape { underlay: [1_400, 1_500], ..Shape::USUAL });
}

#[test]
fn a_megabyte_passes_over_1400_bytes_at_the_gateway() {
    a_megabyte_passes_over_1400_bytes(Shape { underlay: [1_500, 1_400], ..Shape::USUAL });
}

#[test]
fn a_megabyte_passes_over_1400_bytes_of_ipv6_at_the_device() {
    a_megabyte_passes_over_1400_bytes(Shape { underlay: [1_400, 1_500], over_v6: true, ..Shape::USUAL });
}

#[test]
fn a_megabyte_passes_over_1400_bytes_of_ipv6_at_the_gateway() {
    a_megabyte_passes_over_1400_bytes(Shape { underlay: [1_500, 1_400], over_v6: true, ..Shape::USUAL });
}

/// Of datagrams that must not be split, none would arrive that is too long.
#[test]
fn a_megabyte_passes_over_1400_bytes_of_which_nobody_tells() {
    for (underlay, everywhere) in [([1_400, 1_500], false), ([1_500, 1_400], true)] {
        a_megabyte_passes_over_1400_bytes(Shape { underlay, everywhere, silent: true, ..Shape::USUAL });
    }
}

#[test]
fn nothing_is_split_on_an_ethernet() {
    for over_v6 in [false, true] {
        with_namespaces(|| async move {
            let world = World::open(Shape { over_v6, ..Shape::USUAL }).await;
            assert_eq!(transfer(&world).await, [0, 0]);
        });
    }
}

#[test]
fn a_port_that_is_not_granted_does_not_answer() {
    with_namespaces(|| async {
        let mut world = World::open(Shape::USUAL).await;
        for (from, server) in ADDRESSES.into_iter().zip(SERVERS) {
            let before = world.refused();
            tokio::select! {
                _ = world.connect(from, server, UNGRANTED) => panic!("{server} should not have answered"),
                () = eventually(|| world.refused() > before) => {}
            }
        }
        // the same port answers once it is granted
        world.grant_the_rest().await;
        for (from, server) in ADDRESSES.into_iter().zip(SERVERS) {
            download(&mut world.connect(from, server, UNGRANTED).await).await;
        }
    });
}
