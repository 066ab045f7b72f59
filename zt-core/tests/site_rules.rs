//! What a site allows, what it protects, and how much it may hold.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test that fails says so by panicking"
)]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use zt_core::event::SiteSource;
use zt_core::id::{GatewayGroupId, GatewayId, ResourceId};
use zt_core::net::{AddressRange, Prefix, Service};
use zt_core::site::limits::{MAX_PREFIXES, MAX_RESOURCES};
use zt_core::site::{DefaultRoute, Gateway, Pools, Resource, Site, SiteDescription, SiteFault};

fn description() -> SiteDescription {
    let pools = Pools { v4: Some("10.99.0.0/24".parse().unwrap()), v6: Some("fd5a::/64".parse().unwrap()) };
    let gateway = |group: &str, endpoint: &str, own: &str| Gateway {
        group: GatewayGroupId::new(group).unwrap(),
        endpoint: endpoint.parse().unwrap(),
        addresses: BTreeSet::from([own.parse().unwrap()]),
    };
    let gateways = vec![
        (GatewayId::new("gw-1").unwrap(), gateway("main", "192.0.2.1:51820", "10.98.0.1")),
        (GatewayId::new("gw-2").unwrap(), gateway("other", "[2001:db8::2]:51820", "fd5b::2")),
    ];
    SiteDescription { gateways, ..SiteDescription::new(pools) }
}

fn resource(id: &str, gateways: &str, prefixes: &[&str]) -> Resource {
    Resource {
        id: ResourceId::new(id).unwrap(),
        gateways: GatewayGroupId::new(gateways).unwrap(),
        prefixes: prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect(),
        services: BTreeSet::from([Service::ECHO]),
        segments: BTreeSet::new(),
        attributes: [].into(),
        approval: None,
    }
}

fn site(default_route: DefaultRoute, resources: Vec<Resource>) -> Result<Site, SiteFault> {
    Site::new(SiteDescription { default_route, resources, ..description() })
}

#[test]
fn resources_are_sorted_and_found_by_place() {
    let resources = vec![resource("b", "main", &["10.0.1.0/24"]), resource("a", "other", &["10.0.0.0/24"])];
    let site = site(DefaultRoute::Refuse, resources).unwrap();
    assert_eq!(site.resources().iter().map(|resource| resource.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let index = site.resource_index(&ResourceId::new("b").unwrap()).unwrap();
    assert_eq!(site.resource(index).unwrap().id.as_str(), "b");
}

#[test]
fn a_default_route_is_allowed_by_opting_in() {
    for sum in [
        &["0.0.0.0/0"][..],
        &["::/0"],
        &["0.0.0.0/0", "::/0"],
        &["0.0.0.0/1", "128.0.0.0/1"],
        &["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"],
    ] {
        site(DefaultRoute::Carve, vec![resource("all", "main", sum)]).unwrap();
        let refused = site(DefaultRoute::Refuse, vec![resource("all", "main", sum)]).unwrap_err();
        assert!(matches!(refused, SiteFault::DefaultRoute { .. }), "{refused}");
    }
    let halves = vec![resource("a", "main", &["0.0.0.0/1"]), resource("b", "main", &["128.0.0.0/1"])];
    site(DefaultRoute::Carve, halves).unwrap();
}

/// The opt-in is for the default route alone: what lies in it and names a pool or an endpoint is still a mistake.
#[test]
fn opting_in_allows_nothing_but_the_default_route() {
    let with = |prefix| vec![resource("all", "main", &["0.0.0.0/0"]), resource("one", "main", &[prefix])];
    let refused = |prefix| site(DefaultRoute::Carve, with(prefix)).unwrap_err();
    assert!(matches!(refused("10.99.0.0/25"), SiteFault::OverlapsPool { .. }));
    assert!(matches!(refused("10.99.0.7/32"), SiteFault::OverlapsPool { .. }));
    assert!(matches!(refused("192.0.2.0/30"), SiteFault::HoldsEndpoint { .. }));
    assert!(matches!(refused("192.0.2.1/32"), SiteFault::HoldsEndpoint { .. }));
    assert!(matches!(refused("127.0.0.0/8"), SiteFault::SpecialAddresses { .. }));
    let half = vec![resource("half", "main", &["0.0.0.0/1"])];
    assert!(matches!(site(DefaultRoute::Carve, half), Err(SiteFault::OverlapsPool { .. })));
    let twice = vec![resource("a", "main", &["0.0.0.0/0"]), resource("b", "other", &["0.0.0.0/0"])];
    assert!(matches!(site(DefaultRoute::Carve, twice), Err(SiteFault::SharedPrefix { .. })));
}

/// A sum of pieces, one of which is just the endpoint, would name that address exactly and so evade the carving.
#[test]
fn an_endpoint_is_no_piece_of_a_default_route() {
    let mut pieces: Vec<Prefix> = vec!["192.0.2.1/32".parse().unwrap()];
    let endpoint = u32::from_be_bytes([192, 0, 2, 1]);
    pieces.extend((1..=32_u8).map(|length| {
        let bit = 1_u32 << (32 - length);
        let first = (endpoint ^ bit) & !(bit - 1);
        Prefix::new(std::net::Ipv4Addr::from_bits(first).into(), length).unwrap()
    }));
    let mut all = resource("all", "main", &[]);
    all.prefixes = pieces.into_iter().collect();
    assert!(matches!(site(DefaultRoute::Refuse, vec![all.clone()]), Err(SiteFault::DefaultRoute { .. })));
    assert!(matches!(site(DefaultRoute::Carve, vec![all]), Err(SiteFault::HoldsEndpoint { .. })));
}

#[test]
fn a_single_special_address_may_be_named() {
    for address in
        ["127.0.0.1", "169.254.169.254", "224.0.0.251", "255.255.255.255", "::1", "fe80::1", "ff02::fb"]
    {
        site(DefaultRoute::Refuse, vec![resource("one", "main", &[address])]).unwrap();
    }
    let own = vec![resource("own", "main", &["10.98.0.1"]), resource("around", "main", &["10.98.0.0/16"])];
    site(DefaultRoute::Refuse, own).unwrap();
}

#[test]
fn resources_may_overlap_each_other() {
    let resources = vec![
        resource("a", "main", &["10.0.0.0/16"]),
        resource("b", "main", &["10.0.0.0/16"]),
        resource("c", "other", &["10.0.0.0/24"]),
    ];
    site(DefaultRoute::Refuse, resources).unwrap();
}

/// Port 0 is no endpoint yet, so gateways of one host may share it in a site file.
#[test]
fn ports_that_are_named_later_are_not_compared() {
    let mut open = description();
    open.gateways.iter_mut().for_each(|(_, gateway)| gateway.endpoint = "127.0.0.1:0".parse().unwrap());
    Site::new(open).unwrap();
}

#[test]
fn protected_addresses_are_all_there() {
    let protected = site(DefaultRoute::Refuse, vec![]).unwrap().protected();
    let covered = |address: &str| {
        let address: IpAddr = address.parse().unwrap();
        protected.iter().any(|range| range.contains(address))
    };
    for address in "0.0.0.0 0.255.255.255 127.0.0.1 127.255.255.255 169.254.0.0 169.254.255.255 224.0.0.0 \
                    239.255.255.255 255.255.255.255 10.99.0.0 10.99.0.255 10.98.0.1 192.0.2.1 :: ::1 ::ffff:0:0 \
                    ::ffff:255.255.255.255 fe80:: febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff ff00:: \
                    ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fd5a:: fd5a::ffff:ffff:ffff:ffff fd5b::2 2001:db8::2"
        .split_whitespace()
    {
        assert!(covered(address), "{address}");
    }
    for address in "1.0.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 223.255.255.255 240.0.0.0 \
                    255.255.255.254 10.98.255.255 10.99.1.0 192.0.2.0 ::2 ::fffe:ffff:ffff ::1:0:0:0 \
                    fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff fec0:: feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fd5b::1"
        .split_whitespace()
    {
        assert!(!covered(address), "{address}");
    }
    assert!(protected.is_sorted());
    assert!(protected.iter().all(|AddressRange { first, last }| first <= last));
}

#[test]
fn limits_are_counts() {
    let id = |n: usize| format!("r-{n}");
    let many = |count| (0..count).map(|n| resource(&id(n), "main", &["10.0.0.0/24"])).collect();
    assert_eq!(site(DefaultRoute::Refuse, many(MAX_RESOURCES)).unwrap().resources().len(), MAX_RESOURCES);
    let refused = site(DefaultRoute::Refuse, many(MAX_RESOURCES + 1)).unwrap_err();
    assert!(matches!(refused, SiteFault::TooMany { what: "resources", .. }), "{refused}");

    let mut wide = resource("wide", "main", &[]);
    let hosts = (0..=u32::try_from(MAX_PREFIXES).unwrap()).map(std::net::Ipv4Addr::from_bits);
    wide.prefixes = hosts.map(|host| Prefix::host(host.into())).collect();
    let refused = site(DefaultRoute::Refuse, vec![wide]).unwrap_err();
    assert!(matches!(refused, SiteFault::TooMany { what: "prefixes of a resource", .. }), "{refused}");
}

#[test]
fn what_is_left_out_has_defaults() {
    let source = SiteSource { file: "site.toml".into(), text: "[pools]\nv4 = '10.99.0.0/24'".into() };
    let site = Site::parse(&source).unwrap();
    assert_eq!(site.lease, Duration::from_secs(60));
    assert_eq!(site.max_session, Duration::from_hours(12));
    assert_eq!(site.default_route, DefaultRoute::Refuse);
    assert_eq!(site, Site::new(SiteDescription::new(site.pools)).unwrap());
}

#[test]
fn a_group_without_claims_has_nobody_and_a_claim_may_stand_twice() {
    let text = "[pools]\nv4 = '10.99.0.0/24'\n[[group]]\nid = 'none'\n[[group]]\nid = 'a'\n\
                claims = [{ issuer = 'i', value = 'v' }]\n[[group]]\nid = 'b'\n\
                claims = [{ issuer = 'i', value = 'v' }, { issuer = 'j', value = 'w' }]";
    let site = Site::parse(&SiteSource { file: "site.toml".into(), text: text.into() }).unwrap();
    let issuer = zt_core::id::Issuer::new("i").unwrap();
    let subject = zt_core::identity::Subject::new(issuer, "s").unwrap();
    let groups = site.groups_of(&subject, &BTreeSet::from(["v".to_owned(), "w".to_owned()]));
    assert_eq!(groups.iter().map(|group| group.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

/// Nesting by dots is no way around the limit on nesting by brackets.
#[test]
fn b10_keys_nested_without_end_are_refused() {
    for text in [format!("{}a = 1", "a.".repeat(200_000)), format!("[{}a]", "a.".repeat(200_000))] {
        assert!(Site::parse(&SiteSource { file: "site.toml".into(), text }).is_err());
    }
}

proptest! {
    #[test]
    fn a_spoiled_file_never_panics(places in proptest::collection::vec((0_usize..6_000, any::<char>()), 1..4)) {
        let mut text = include_str!("../../examples/site/site.toml").to_owned();
        for (place, letter) in places {
            if text.is_char_boundary(place) && text.is_char_boundary(place + 1) && place < text.len() {
                text.replace_range(place..=place, &letter.to_string());
            }
        }
        let lines = text.lines().count() + 1;
        if let Err(error) = Site::parse(&SiteSource { file: "site.toml".into(), text }) {
            prop_assert!(error.line() >= 1 && error.line() <= lines);
        }
    }

    /// The sum is what counts, however it is written: splitting a default route any number of times changes nothing.
    #[test]
    fn b7_no_way_of_splitting_hides_a_default_route(splits in proptest::collection::vec(0_usize..64, 0..40)) {
        let mut prefixes: Vec<Prefix> = vec!["0.0.0.0/0".parse().unwrap()];
        for split in splits {
            let prefix = prefixes.swap_remove(split % prefixes.len());
            let IpAddr::V4(first) = prefix.address() else { unreachable!() };
            let length = prefix.length() + 1;
            let upper = first.to_bits() | 1_u32.checked_shl(32 - u32::from(length)).unwrap();
            prefixes.push(Prefix::new(prefix.address(), length).unwrap());
            prefixes.push(Prefix::new(std::net::Ipv4Addr::from_bits(upper).into(), length).unwrap());
            if length >= 31 {
                break;
            }
        }
        let resources = || prefixes.iter().enumerate().map(|(n, prefix)| {
            resource(&n.to_string(), "main", &[&prefix.to_string()])
        });
        let refused = site(DefaultRoute::Refuse, resources().collect()).unwrap_err();
        prop_assert!(matches!(refused, SiteFault::DefaultRoute { .. }), "{}", refused);
        let holed = site(DefaultRoute::Refuse, resources().skip(1).collect());
        let refused = matches!(holed, Err(SiteFault::DefaultRoute { .. }));
        prop_assert_eq!(refused, is_protected(&prefixes[0]));
    }
}

/// Whether what a site without resources protects covers all of `prefix`.
fn is_protected(prefix: &Prefix) -> bool {
    let range = prefix.range();
    let protected = site(DefaultRoute::Refuse, vec![]).unwrap().protected();
    protected.iter().any(|one| one.contains(range.first) && one.contains(range.last))
}
