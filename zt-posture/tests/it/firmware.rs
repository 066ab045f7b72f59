//! `secure_boot`.

use zt_posture::names::SECURE_BOOT;

use crate::fixture::check;

const SECURE: &str = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
const SETUP: &str = "/sys/firmware/efi/efivars/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c";
const SHIM: &str = "/sys/firmware/efi/efivars/MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23";

#[test]
fn firmware_says_whether_it_enforces() {
    let efi = "dir /sys/firmware/efi/efivars";
    let set = |path: &str, bytes: &str| format!("file {path} {bytes}");
    let on = set(SECURE, r"\6\0\0\0\1");
    let off = set(SECURE, r"\6\0\0\0\0");
    let user = set(SETUP, r"\6\0\0\0\0");
    let setup = set(SETUP, r"\6\0\0\0\1");
    let missing = |path: &str| format!("unknown false: `{path}` is missing");
    let unclear = |path: &str| format!("unknown false: `{path}` is neither on nor off");
    let cases: [(&str, &[&str], String); 14] = [
        ("on", &[&on, &user], format!("pass true: {SECURE}")),
        ("off", &[&off, &user], format!("fail false: {SECURE}")),
        ("off, in setup mode", &[&off, &setup], format!("fail false: {SECURE}")),
        ("on, in setup mode", &[&on, &setup], format!("fail false: {SETUP}")),
        ("on, mode not known", &[&on], missing(SETUP)),
        ("on, shim verifies", &[&on, &user, &set(SHIM, r"\6\0\0\0\0")], format!("pass true: {SECURE}")),
        ("on, shim does not", &[&on, &user, &set(SHIM, r"\6\0\0\0\1")], format!("fail false: {SHIM}")),
        ("on, shim not clear", &[&on, &user, &set(SHIM, r"\6\0\0\0")], unclear(SHIM)),
        (
            "no BIOS is EFI",
            &["dir /sys/firmware"],
            "unsupported false: `/sys/firmware/efi` is missing: not started by EFI".into(),
        ),
        ("a container without half of /sys", &["dir /sys"], missing("/sys/firmware")),
        ("efivars not mounted", &[efi], missing(SECURE)),
        ("short", &[&set(SECURE, r"\6\0\0\0"), &user], unclear(SECURE)),
        ("long", &[&set(SECURE, r"\6\0\0\0\1\1"), &user], unclear(SECURE)),
        ("neither 0 nor 1", &[&set(SECURE, r"\6\0\0\0\2"), &user], unclear(SECURE)),
    ];
    for (case, tables, expected) in cases {
        check(case, SECURE_BOOT, tables, &expected);
    }
}
