//! Names, MTUs and tables.

use zt_linux::{Link, LinkConfig, LinkName, LinkNameError, Mtu, Netlink, Table, Tun};

/// Compiles if tasks of any runtime can hold them and wait for them.
#[test]
fn devices_and_links_can_be_used_from_any_task() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>(_: impl Fn(&'static Tun, &'static LinkConfig) -> T) {}
    shared::<Netlink>();
    shared::<Link>();
    shared::<Tun>();
    sent(|tun, wanted| tun.link().apply(wanted));
    sent(|tun, _| tun.link().observe());
    sent(|tun, _| tun.receive());
    sent(|tun, _| tun.send(&[]));
}

#[test]
fn names_are_short_and_plain() {
    for good in ["t", "tun0", "zt-gw_1.2", "exactly15bytes_", "..."] {
        assert_eq!(LinkName::new(good).unwrap().as_str(), good);
    }
    assert_eq!(LinkName::new(""), Err(LinkNameError::Empty));
    for long in ["sixteen-bytes-16", &"x".repeat(1 << 20)] {
        assert!(matches!(LinkName::new(long), Err(LinkNameError::TooLong(start)) if start.len() == 15));
    }
    for bad in [
        "a/b",
        "/",
        "a b",
        " ",
        "tun\n",
        "tun\t0",
        "\u{1b}[31m",
        "nul\0",
        ".",
        "..",
        "a:1",
        "tun%d",
        "tün0",
        "\u{a0}",
    ] {
        assert_eq!(LinkName::new(bad), Err(LinkNameError::Character(bad.to_owned())));
    }
}

#[test]
fn errors_about_names_are_safe_to_print() {
    let error = LinkName::new("a\u{1b}[2J\n").unwrap_err();
    assert!(error.to_string().chars().all(|c| !c.is_control()), "{error:?}");
    let error = LinkName::new(&format!("\u{1b}[2J{}", "x".repeat(20))).unwrap_err();
    assert!(error.to_string().chars().all(|c| !c.is_control()), "{error:?}");
}

#[test]
fn mtus_are_what_ipv6_and_packets_allow() {
    for bytes in [1_280, 1_420, 1_500, 65_535] {
        assert_eq!(u32::from(Mtu::new(bytes).unwrap().bytes()), bytes);
    }
    for bytes in [0, 68, 1_279, 65_536, u32::MAX] {
        assert_eq!(
            Mtu::new(bytes).unwrap_err().to_string(),
            format!("an MTU of {bytes} bytes is not between 1280 and 65535")
        );
    }
    assert_eq!(Mtu::default().bytes(), 1_420);
}

#[test]
fn the_kernels_own_table_is_none_of_ours() {
    assert_eq!(Table::new(0), None);
    assert_eq!(Table::new(255), None);
    assert_eq!(Table::new(254), Some(Table::MAIN));
    assert_eq!(Table::new(u32::MAX).map(Table::number), Some(u32::MAX));
}
