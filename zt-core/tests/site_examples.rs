//! The files under `examples/site`: they are valid, and they hold what the example policies name.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test that fails says so by panicking"
)]

use zt_core::directory::Directory;
use zt_core::event::{Event, SiteSource};
use zt_core::site::{DefaultRoute, Site};

fn text(name: &str) -> String {
    let path = format!("{}/../examples/site/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn site() -> Site {
    Site::parse(&SiteSource { file: "site.toml".into(), text: text("site.toml") })
        .unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_example_site_is_valid() {
    let site = site();
    let names = |names: Vec<&str>| names.join(" ");
    assert_eq!(site.lease.as_secs(), 5);
    assert_eq!(site.default_route, DefaultRoute::Refuse);
    assert_eq!(
        names(site.groups.keys().map(|id| id.as_str()).collect()),
        "contractors developers on-call operations staff"
    );
    assert_eq!(
        names(site.segments.iter().map(|id| id.as_str()).collect()),
        "intranet monitoring production remediation staging"
    );
    assert_eq!(
        names(site.facts.keys().map(|id| id.as_str()).collect()),
        "disk_encrypted edr_running os_version reboot_required secure_boot"
    );
    assert_eq!(
        names(site.resources().iter().map(|resource| resource.id.as_str()).collect()),
        "grafana production-db prometheus remediation staging-k8s tickets wiki"
    );
    assert!(site.windows.contains_key("contract-hours"));
    assert!(site.gateways.contains_key("gw-1"));
}

#[test]
fn the_people_of_the_example_are_in_their_groups() {
    let site = site();
    let directory =
        Directory::parse("directory.toml", &text("directory.toml"), &site).unwrap_or_else(|e| panic!("{e}"));
    let groups = [
        ("casey", "contractors"),
        ("dana", "developers staff"),
        ("devon", "developers staff"),
        ("olga", "on-call operations staff"),
        ("oscar", "operations staff"),
    ];
    assert_eq!(directory.users().count(), groups.len());
    for (name, expected) in groups {
        let user = directory.user(name).unwrap();
        let found = site.groups_of(&user.subject, &user.claims);
        assert_eq!(found.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" "), expected, "{name}");
        let devices: Vec<_> = directory.devices_of(&user.subject).map(|device| device.id.as_str()).collect();
        assert_eq!(devices, [format!("{name}-laptop")]);
    }
    let events = directory.events();
    assert_eq!(events.len(), 10);
    assert!(events[..5].iter().all(|event| matches!(event, Event::IdentityObserved { .. })));
    assert!(events[5..].iter().all(|event| matches!(event, Event::DeviceEnrolled { .. })));
}

/// A file that was written only in part is a smaller valid file or an error with a line of the file, never a panic.
#[test]
fn b17_torn_files_are_refused_or_valid() {
    let (site_text, directory_text) = (text("site.toml"), text("directory.toml"));
    let whole = site();
    for end in (0..site_text.len()).filter(|end| site_text.is_char_boundary(*end)) {
        let torn = site_text[..end].to_owned();
        let lines = torn.lines().count() + 1;
        match Site::parse(&SiteSource { file: "site.toml".into(), text: torn }) {
            Ok(site) => assert!(site.resources().len() <= whole.resources().len()),
            Err(error) => assert!((1..=lines).contains(&error.line()), "{error} of {lines} lines"),
        }
    }
    for end in (0..directory_text.len()).filter(|end| directory_text.is_char_boundary(*end)) {
        let torn = &directory_text[..end];
        let lines = torn.lines().count() + 1;
        if let Err(error) = Directory::parse("directory.toml", torn, &whole) {
            assert!((1..=lines).contains(&error.line()), "{error} of {lines} lines");
        }
    }
}
