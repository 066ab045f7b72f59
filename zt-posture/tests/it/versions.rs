//! `os_version` and `kernel_version`.

use zt_posture::names::{KERNEL_VERSION, OS_VERSION};

use crate::fixture::check;

#[test]
fn distributions_are_named() {
    let link = "link /etc/os-release ../usr/lib/os-release";
    let cases = [
        (
            "debian",
            r#"file /usr/lib/os-release PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\nHOME_URL="https://www.debian.org/"\n"#,
            r#"pass "debian 12": /etc/os-release"#,
        ),
        (
            "ubuntu",
            r#"file /usr/lib/os-release NAME="Ubuntu"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\nLOGO=ubuntu-logo\n"#,
            r#"pass "ubuntu 24.04": /etc/os-release"#,
        ),
        (
            "fedora",
            r#"file /usr/lib/os-release NAME="Fedora Linux"\nID=fedora\nVERSION_ID=40\nANSI_COLOR="0;38;2;60;110;180"\nVARIANT_ID=workstation\n"#,
            r#"pass "fedora 40": /etc/os-release"#,
        ),
        (
            "alpine",
            r#"file /usr/lib/os-release NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.3\nBUG_REPORT_URL="https://gitlab.alpinelinux.org/alpine/aports/-/issues"\n"#,
            r#"pass "alpine 3.20.3": /etc/os-release"#,
        ),
        (
            "arch has no versions",
            r"file /usr/lib/os-release ID=arch\nBUILD_ID=rolling\n",
            r#"pass "arch": /etc/os-release"#,
        ),
        (
            "all kinds of quotes, comments, and no last newline",
            r#"file /usr/lib/os-release # x\n\n ID='opensuse-leap' \nNAME="a \\"b\\" \\\\ c"\nVERSION_ID="15.6""#,
            r#"pass "opensuse-leap 15.6": /etc/os-release"#,
        ),
        (
            "the last of two counts, as in a shell",
            r"file /usr/lib/os-release ID=a\nID=b\n",
            r#"pass "b": /etc/os-release"#,
        ),
    ];
    for (case, table, expected) in cases {
        check(case, OS_VERSION, &[link, table], expected);
    }
}

#[test]
fn the_vendor_file_counts_only_where_there_is_no_other() {
    let vendor = r"file /usr/lib/os-release ID=debian\nVERSION_ID=12\n";
    check("alone", OS_VERSION, &[vendor], r#"pass "debian 12": /usr/lib/os-release"#);
    let own = r"file /etc/os-release ID=mine\n";
    check("both", OS_VERSION, &[vendor, own], r#"pass "mine": /etc/os-release"#);
    let broken = "file /etc/os-release nonsense";
    check(
        "broken",
        OS_VERSION,
        &[vendor, broken],
        r#"unknown "": `/etc/os-release`: line 1 is no assignment"#,
    );
    let dangling = "link /etc/os-release nowhere";
    check("dangling", OS_VERSION, &[vendor, dangling], r#"pass "debian 12": /usr/lib/os-release"#);
}

#[test]
fn what_names_no_distribution_is_unknown() {
    let cases = [
        ("missing", "dir /etc", "neither `/etc/os-release` nor `/usr/lib/os-release` is there"),
        ("empty", "file /etc/os-release ", "`/etc/os-release`: no ID"),
        ("no id", r"file /etc/os-release VERSION_ID=12\n", "`/etc/os-release`: no ID"),
        ("empty id", r#"file /etc/os-release ID="""#, "`/etc/os-release`: ID is not well-formed"),
        (
            "a blank in it",
            r#"file /etc/os-release ID="debian 12""#,
            "`/etc/os-release`: ID is not well-formed",
        ),
        ("a control character", r"file /etc/os-release ID='a\7'", "`/etc/os-release`: ID is not well-formed"),
        (
            "open quote",
            r#"file /etc/os-release ID=a\nVERSION_ID="12"#,
            "`/etc/os-release`: line 2 is no assignment",
        ),
        ("bare blank", r"file /etc/os-release ID=a b", "`/etc/os-release`: line 1 is no assignment"),
        ("expansion", r#"file /etc/os-release ID="$(id)""#, "`/etc/os-release`: line 1 is no assignment"),
        ("after the quote", r#"file /etc/os-release ID="a"b"#, "`/etc/os-release`: line 1 is no assignment"),
        ("10 MB", "zeros /etc/os-release 10000000", "`/etc/os-release` has more than 1048576 bytes"),
        ("FIFO", "fifo /etc/os-release", "`/etc/os-release` is a FIFO"),
        ("directory", "dir /etc/os-release", "`/etc/os-release` is a directory"),
        ("loop", "link /etc/os-release os-release", "`/etc/os-release` has too many links"),
    ];
    for (case, table, reason) in cases {
        check(case, OS_VERSION, &[table], &format!("unknown \"\": {reason}"));
    }
    let long = format!("file /etc/os-release ID={}", "a".repeat(65));
    check("long", OS_VERSION, &[&long], r#"unknown "": `/etc/os-release`: ID is not well-formed"#);
}

#[test]
fn kernels_are_named() {
    let cases = [
        (
            r"file /proc/sys/kernel/osrelease 6.1.0-18-amd64\n",
            r#"pass "6.1.0-18-amd64": /proc/sys/kernel/osrelease"#,
        ),
        ("file /proc/sys/kernel/osrelease 6.8.0", r#"pass "6.8.0": /proc/sys/kernel/osrelease"#),
        (
            r"file /proc/sys/kernel/osrelease \n",
            r#"unknown "": `/proc/sys/kernel/osrelease` has no release in it"#,
        ),
        (
            r"file /proc/sys/kernel/osrelease 6.8\n6.9\n",
            r#"unknown "": `/proc/sys/kernel/osrelease` has no release in it"#,
        ),
        (
            "zeros /proc/sys/kernel/osrelease 65",
            r#"unknown "": `/proc/sys/kernel/osrelease` has no release in it"#,
        ),
        ("dir /proc", r#"unknown "": `/proc/sys/kernel/osrelease` is missing"#),
    ];
    for (table, expected) in cases {
        check(table, KERNEL_VERSION, &[table], expected);
    }
}
