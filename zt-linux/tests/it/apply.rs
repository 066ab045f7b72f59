//! What a link is to have, and what others gave it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use tokio::runtime::Builder;
use zt_core::net::Prefix;
use zt_linux::{
    ApplyError, Changes, Link, LinkConfig, LinkError, Netlink, NetlinkError, Observed, PROTOCOL, Route, Table,
};

use crate::namespace::{Others, alone, tun};

fn config(addresses: &[&str], routes: &[&str]) -> LinkConfig {
    LinkConfig {
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        routes: routes.iter().map(|text| route(text)).collect(),
    }
}

/// `10.0.0.0/8` or `10.0.0.0/8@100`, the latter in table 100.
fn route(text: &str) -> Route {
    let (destination, table) = text.split_once('@').unwrap_or((text, "254"));
    Route::new(destination.parse().unwrap()).in_table(Table::new(table.parse().unwrap()).unwrap())
}

/// What there is of ours.
fn ours(observed: &Observed) -> LinkConfig {
    LinkConfig {
        addresses: observed.addresses.iter().filter(|a| a.is_ours()).map(|a| a.address).collect(),
        routes: observed.routes.iter().filter(|r| r.is_ours()).map(|r| r.route).collect(),
    }
}

/// What there is of others.
fn theirs(observed: &Observed) -> Observed {
    let mut theirs = observed.clone();
    theirs.addresses.retain(|found| !found.is_ours());
    theirs.routes.retain(|found| !found.is_ours());
    theirs
}

/// Applies, twice: the second time there is nothing to do.
async fn apply(link: &Link, wanted: &LinkConfig) -> Changes {
    let before = link.observe().await.unwrap();
    let changes = link.apply(wanted).await.unwrap();
    let after = link.observe().await.unwrap();
    assert_eq!(changes == Changes::default(), before == after);
    assert_eq!(link.apply(wanted).await.unwrap(), Changes::default());
    assert_eq!(link.observe().await.unwrap(), after);
    changes
}

/// A route of somebody else's.
fn foreign(index: u32, destination: &str, protocol: u8) -> RouteMessage {
    let destination: Prefix = destination.parse().unwrap();
    let v4 = destination.address().is_ipv4();
    let mut message = RouteMessage::default();
    message.header.address_family = if v4 { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.destination_prefix_length = destination.length();
    message.header.table = 254;
    message.header.protocol = RouteProtocol::from(protocol);
    message.header.scope = if v4 { RouteScope::Link } else { RouteScope::Universe };
    message.header.kind = RouteType::Unicast;
    message.attributes =
        vec![RouteAttribute::Destination(destination.address().into()), RouteAttribute::Oif(index)];
    message
}

async fn add(others: &mut Others, message: RouteMessage) {
    others.request(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL).await.unwrap();
}

#[test]
fn applying_twice_changes_nothing_the_second_time() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = tun(&netlink, "zt0").await;
        let routes = [
            "10.99.0.0/24",
            "10.0.0.0/8",
            "0.0.0.0/0",
            "fd99::/64",
            "::/0",
            "10.99.0.0/24@100",
            "fd99::/64@51820",
        ];
        let wanted = config(&["10.98.0.1", "10.98.0.2", "fd98::1", "fd98::2"], &routes);
        let changes = apply(tun.link(), &wanted).await;
        assert_eq!(changes, Changes { addresses_added: 4, routes_added: 7, ..Changes::default() });
        assert_eq!(changes.total(), 11);
        assert_eq!(ours(&tun.link().observe().await.unwrap()), wanted);

        let fewer = config(
            &["10.98.0.2", "fd98::2", "fd98::3"],
            &["10.0.0.0/8", "::/0", "fd99::/64@51820", "10.1.0.0/16"],
        );
        let changes = apply(tun.link(), &fewer).await;
        assert_eq!(
            changes,
            Changes { addresses_added: 1, addresses_removed: 2, routes_added: 1, routes_removed: 4 }
        );
        assert_eq!(ours(&tun.link().observe().await.unwrap()), fewer);

        let changes = apply(tun.link(), &LinkConfig::default()).await;
        assert_eq!(changes.addresses_added + changes.routes_added, 0);
        assert_eq!(ours(&tun.link().observe().await.unwrap()), LinkConfig::default());
    });
}

#[test]
fn what_others_gave_a_link_stays() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let (tun, other) = (tun(&netlink, "zt0").await, tun(&netlink, "other").await);
        let mut others = Others::open();
        let index = tun.link().index();
        for (address, length) in [("10.97.0.1", 24), ("fd97::1", 64)] {
            let address: IpAddr = address.parse().unwrap();
            others.handle().address().add(index, address, length).execute().await.unwrap();
        }
        for (destination, protocol) in
            [("10.50.0.0/16", 3), ("10.51.0.0/16", 4), ("10.52.0.0/16", PROTOCOL + 1), ("fd50::/64", 3)]
        {
            add(&mut others, foreign(index, destination, protocol)).await;
        }
        // ours by its number, but into another link: not this link's to remove
        add(&mut others, foreign(other.link().index(), "10.53.0.0/16", PROTOCOL)).await;
        let before = (theirs(&tun.link().observe().await.unwrap()), other.link().observe().await.unwrap());
        assert!(before.0.routes.len() >= 4 && before.0.addresses.len() >= 2 && !before.1.routes.is_empty());

        let wanted = config(&["10.98.0.1", "fd98::1"], &["10.99.0.0/24", "fd99::/64"]);
        assert_eq!(apply(tun.link(), &wanted).await.total(), 4);
        assert_eq!(apply(tun.link(), &LinkConfig::default()).await.total(), 4);
        assert_eq!(
            (theirs(&tun.link().observe().await.unwrap()), other.link().observe().await.unwrap()),
            before
        );

        // what is wanted and there already is theirs, and stays theirs
        let wanted = config(&["10.97.0.1", "fd97::1"], &["10.50.0.0/16", "fd50::/64"]);
        assert_eq!(apply(tun.link(), &wanted).await.total(), 0);
        assert_eq!(apply(tun.link(), &LinkConfig::default()).await.total(), 0);
        assert_eq!(
            (theirs(&tun.link().observe().await.unwrap()), other.link().observe().await.unwrap()),
            before
        );

        // the control: what carries our number goes
        add(&mut others, foreign(index, "10.54.0.0/16", PROTOCOL)).await;
        assert_eq!(
            apply(tun.link(), &LinkConfig::default()).await,
            Changes { routes_removed: 1, ..Changes::default() }
        );
    });
}

#[test]
fn a_route_of_ours_that_leads_elsewhere_is_put_right() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = tun(&netlink, "zt0").await;
        let mut others = Others::open();
        let wanted = config(&["10.98.0.1", "fd98::1"], &["10.99.0.0/24", "fd99::/64"]);
        tun.link().apply(&wanted).await.unwrap();
        for (destination, metric) in [("10.99.0.0/24", 7), ("fd99::/64", 7)] {
            let mut message = foreign(tun.link().index(), destination, PROTOCOL);
            message.attributes.push(RouteAttribute::Priority(metric));
            add(&mut others, message).await;
        }
        let mut message = foreign(tun.link().index(), "10.60.0.0/24", PROTOCOL);
        message.attributes.push(RouteAttribute::Gateway("10.99.0.9".parse::<IpAddr>().unwrap().into()));
        message.header.scope = RouteScope::Universe;
        add(&mut others, message).await;
        assert_eq!(apply(tun.link(), &wanted).await, Changes { routes_removed: 3, ..Changes::default() });
        assert_eq!(ours(&tun.link().observe().await.unwrap()), wanted);
    });
}

#[test]
fn a_route_of_others_that_leads_elsewhere_is_an_error() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let (tun, other) = (tun(&netlink, "zt0").await, tun(&netlink, "other").await);
        let mut others = Others::open();
        for destination in ["10.99.0.0/24", "fd99::/64"] {
            add(&mut others, foreign(other.link().index(), destination, 4)).await;
            let before = other.link().observe().await.unwrap();
            let error = tun.link().apply(&config(&[], &[destination])).await.unwrap_err();
            assert!(matches!(error, ApplyError::Taken(found) if found == route(destination)), "{error:?}");
            assert_eq!(other.link().observe().await.unwrap(), before);
            let message = foreign(other.link().index(), destination, 4);
            others.request(RouteNetlinkMessage::DelRoute(message), 0).await.unwrap();
            assert_eq!(apply(tun.link(), &config(&[], &[destination])).await.routes_added, 1);
        }
    });
}

/// From a link that lost its last IPv4 address, the kernel takes the routes: also those that are wanted.
#[test]
fn routes_outlive_the_last_address() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = tun(&netlink, "zt0").await;
        let mut others = Others::open();
        apply(tun.link(), &config(&["10.98.0.1"], &["10.99.0.0/24"])).await;
        add(&mut others, foreign(tun.link().index(), "10.50.0.0/16", 4)).await;
        // another address instead: nothing is lost on the way, of others neither
        let before = theirs(&tun.link().observe().await.unwrap());
        let changes = apply(tun.link(), &config(&["10.98.0.2"], &["10.99.0.0/24"])).await;
        assert_eq!(changes, Changes { addresses_added: 1, addresses_removed: 1, ..Changes::default() });
        assert_eq!(theirs(&tun.link().observe().await.unwrap()), before);
        // none at all: ours are added again
        let none = config(&[], &["10.99.0.0/24"]);
        let changes = apply(tun.link(), &none).await;
        assert_eq!(changes, Changes { addresses_removed: 1, routes_added: 1, ..Changes::default() });
        assert_eq!(ours(&tun.link().observe().await.unwrap()), none);
    });
}

#[test]
fn a_link_that_was_down_gets_its_routes_back() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = tun(&netlink, "zt0").await;
        let wanted = config(&["10.98.0.1", "fd98::1"], &["10.99.0.0/24", "fd99::/64"]);
        apply(tun.link(), &wanted).await;
        tun.link().set_down().await.unwrap();
        assert_eq!(ours(&tun.link().observe().await.unwrap()), config(&["10.98.0.1"], &[]));
        assert!(matches!(tun.link().apply(&wanted).await, Err(ApplyError::Down)));
        tun.link().set_up().await.unwrap();
        apply(tun.link(), &wanted).await;
        assert_eq!(ours(&tun.link().observe().await.unwrap()), wanted);
    });
}

#[test]
fn addresses_that_are_none_are_refused_before_anything_is_changed() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = tun(&netlink, "zt0").await;
        for bad in ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:10.0.0.1"] {
            let address = bad.parse().unwrap();
            let mut wanted = config(&["10.98.0.1"], &["10.99.0.0/24"]);
            wanted.addresses.insert(address);
            let error = tun.link().apply(&wanted).await.unwrap_err();
            assert!(matches!(error, ApplyError::Unusable(found) if found == address));
        }
        let mut wanted = config(&["10.98.0.1"], &[]);
        wanted.routes.insert(Route::new(Prefix::host("::ffff:10.0.0.1".parse().unwrap())));
        assert!(matches!(tun.link().apply(&wanted).await, Err(ApplyError::Unusable(_))));
        assert_eq!(ours(&tun.link().observe().await.unwrap()), LinkConfig::default());
    });
}

fn many(range: std::ops::Range<u16>) -> BTreeSet<Route> {
    let v4 = range.clone().map(|number| Prefix::host([10, 77, (number >> 8) as u8, number as u8].into()));
    let v6 = range.map(|number| Prefix::host([0xfd77, 0, 0, 0, 0, 0, 0, number].into()));
    v4.chain(v6).map(Route::new).collect()
}

#[test]
fn a_thousand_routes_are_applied_and_half_of_them_changed() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = tun(&netlink, "zt0").await;
        let addresses: BTreeSet<IpAddr> = ["10.98.0.1".parse().unwrap(), "fd98::1".parse().unwrap()].into();
        let wanted = LinkConfig { addresses: addresses.clone(), routes: many(0..1_000) };
        assert_eq!(apply(tun.link(), &wanted).await.routes_added, 2_000);
        let shifted = LinkConfig { addresses, routes: many(500..1_500) };
        let changes = apply(tun.link(), &shifted).await;
        assert_eq!(changes, Changes { routes_added: 1_000, routes_removed: 1_000, ..Changes::default() });
        assert_eq!(ours(&tun.link().observe().await.unwrap()), shifted);
    });
}

/// Adds and removes routes next to those of `many`, in a thread of its own, until told to stop; says how often.
fn churn(index: u32, stop: &AtomicBool) -> usize {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut others = Others::open();
        let mut turns = 0;
        while !stop.load(Ordering::Relaxed) {
            for destination in [format!("10.76.0.{}", turns % 256), format!("fd76::{:x}", turns % 256)] {
                add(&mut others, foreign(index, &destination, 4)).await;
                let message = foreign(index, &destination, 4);
                others.request(RouteNetlinkMessage::DelRoute(message), 0).await.unwrap();
            }
            turns += 1;
        }
        turns
    })
}

/// While somebody else adds and removes routes all the time, a list is whole or an error.
#[test]
fn lists_are_whole_while_others_change_routes() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = tun(&netlink, "zt0").await;
        let addresses = ["10.98.0.1".parse().unwrap(), "fd98::1".parse().unwrap()].into();
        let wanted = LinkConfig { addresses, routes: many(0..1_000) };
        tun.link().apply(&wanted).await.unwrap();
        let (index, stop) = (tun.link().index(), Arc::new(AtomicBool::new(false)));
        let churning = thread::spawn({
            let stop = Arc::clone(&stop);
            move || churn(index, &stop)
        });
        let mut failed = 0;
        for _ in 0..100 {
            match tun.link().observe().await {
                Ok(observed) => assert_eq!(ours(&observed), wanted),
                Err(LinkError::Netlink(NetlinkError::Interrupted { .. })) => failed += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
        let turns = churning.join().unwrap();
        assert!(turns > 0, "others did nothing; {failed} lists failed");
        assert_eq!(ours(&tun.link().observe().await.unwrap()), wanted);
    });
}
