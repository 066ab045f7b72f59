//! `reboot_required`.

use zt_posture::names::REBOOT_REQUIRED;

use crate::fixture::check;

#[test]
fn the_flag_fails_and_its_absence_counts_only_where_something_would_set_it() {
    const FLAG: &str = "file /run/reboot-required *** System restart required ***";
    const UPGRADES: &str = "file /etc/kernel/postinst.d/unattended-upgrades #!/bin/sh";
    const NOTIFIER: &str = "file /usr/share/update-notifier/notify-reboot-required #!/bin/sh";
    const NOTHING: &str = "unknown false: nothing is installed that would make `/run/reboot-required`";
    let cases: [(&str, &[&str], &str); 8] = [
        ("set", &[FLAG, UPGRADES], "fail true: /run/reboot-required"),
        ("set, whoever did it", &[FLAG], "fail true: /run/reboot-required"),
        ("set, and empty", &["file /run/reboot-required "], "fail true: /run/reboot-required"),
        ("not set", &["dir /run", UPGRADES], "pass false: /run/reboot-required"),
        ("not set, on a desktop", &["dir /run", NOTIFIER], "pass false: /run/reboot-required"),
        ("fedora", &["dir /run", "file /etc/os-release ID=fedora"], NOTHING),
        ("no /run", &[UPGRADES], "unknown false: `/run` is missing"),
        (
            "/run is not what it should be",
            &["link /run run", UPGRADES],
            "unknown false: `/run/reboot-required` has too many links",
        ),
    ];
    for (case, tables, expected) in cases {
        check(case, REBOOT_REQUIRED, tables, expected);
    }
}
