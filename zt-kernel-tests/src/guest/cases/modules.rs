//! The kernel has what all other cases need.

use std::fs;

use crate::console::note;

/// What `/sys/module` has a folder of, be it loaded or built in.
const NEEDED: [&str; 9] = [
    "dummy",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "nf_tables",
    "nft_ct",
    "nft_fib_inet",
    "tun",
    "veth",
    "wireguard",
];

pub(super) async fn are_there() {
    let version = fs::read_to_string("/proc/version").unwrap();
    note(version.trim());
    let loaded = fs::read_to_string("/proc/modules").unwrap();
    let names: Vec<&str> = loaded.lines().filter_map(|line| line.split_whitespace().next()).collect();
    note(&format!("{} modules are loaded", names.len()));
    for name in NEEDED {
        let there = names.contains(&name) || fs::exists(format!("/sys/module/{name}")).unwrap();
        assert!(there, "the kernel has no module {name}");
    }
}
