//! The parsers: no bytes make them panic, and files made to a pattern are read as they were made.

use proptest::prelude::*;
use zt_posture::mountinfo::{MountInfoError, RootMount};
use zt_posture::os_release::{MAX_FIELD_BYTES, OsRelease, OsReleaseError};

/// Bytes that come near to what the parsers read.
fn near(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn check_release(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(release) = OsRelease::parse(bytes) {
        for field in [Some(release.id()), release.version()].into_iter().flatten() {
            prop_assert!((1..=MAX_FIELD_BYTES).contains(&field.len()), "{field:?}");
            prop_assert!(
                field.bytes().all(|c| c.is_ascii_graphic() && !b"\"'\\$`=".contains(&c)),
                "{field:?}"
            );
        }
        prop_assert_eq!(release.name().split(' ').count(), 1 + release.version().iter().count());
    }
    Ok(())
}

fn quoted(value: &str, quotes: u8) -> String {
    match quotes {
        0 => value.to_owned(),
        1 => format!("'{value}'"),
        _ => format!("\"{value}\""),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_an_os_release_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_release(&bytes)?;
    }

    #[test]
    fn bytes_that_come_near_are_an_os_release_or_not(
        bytes in near(&["ID", "=", "VERSION_ID=", "\n", "\"", "'", "\\", "$", "debian", "12", " ", "#", "\r", "\t"]),
    ) {
        check_release(&bytes)?;
    }

    /// The last value of each name counts, however it is quoted.
    #[test]
    fn releases_are_read_as_they_were_made(
        lines in proptest::collection::vec((0_usize..4, "[a-zA-Z0-9._+~-]{1,64}", 0_u8..3, 0_usize..3), 0..12),
    ) {
        let names = ["ID", "VERSION_ID", "NAME", "XID"];
        let mut text = String::new();
        for (name, value, quotes, blanks) in &lines {
            let blanks = [" ", "# ID=comment\n", "\n"][*blanks];
            text += &format!("{blanks}{}={}\n", names[*name], quoted(value, *quotes));
        }
        let last = |wanted| lines.iter().rev().find(|line| line.0 == wanted).map(|line| line.1.as_str());
        let parsed = OsRelease::parse(text.as_bytes());
        match last(0) {
            None => prop_assert_eq!(parsed, Err(OsReleaseError::NoId)),
            Some(id) => {
                let release = parsed.unwrap();
                prop_assert_eq!((release.id(), release.version()), (id, last(1)));
            }
        }
    }

    #[test]
    fn any_bytes_are_a_mountinfo_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = RootMount::parse(&bytes);
    }

    #[test]
    fn bytes_that_come_near_are_a_mountinfo_or_not(
        bytes in near(&["1 0 8:1 / / rw", " ", "-", " - ", "\n", "ext4", "/dev/sda", "8:", "99999999999", "/", ":"]),
    ) {
        if let Ok(mount) = RootMount::parse(&bytes) {
            prop_assert!(!mount.filesystem.is_empty());
            let text = String::from_utf8_lossy(&bytes).into_owned();
            prop_assert!(text.contains(&mount.filesystem) && text.contains(&mount.source));
        }
    }

    /// The one mount on `/` is found among others; two that differ are refused.
    #[test]
    fn mounts_are_read_as_they_were_made(
        mounts in proptest::collection::vec(("/|/[a-z]{1,5}", 0_u32..300, 0_u32..3, 0_usize..3), 0..6),
    ) {
        let mut text = String::new();
        for (place, major, minor, optional) in &mounts {
            let optional = " shared:1".repeat(*optional);
            text += &format!("27 1 {major}:{minor} /sub {place} rw,relatime{optional} - ext4 /dev/x{minor} rw\n");
        }
        let mut roots: Vec<_> = mounts.iter().filter(|mount| mount.0 == "/").map(|mount| (mount.1, mount.2)).collect();
        roots.dedup();
        let expected = match roots.as_slice() {
            [] => Err(MountInfoError::NoRoot),
            [(major, minor)] => Ok(RootMount {
                major: *major,
                minor: *minor,
                filesystem: "ext4".into(),
                source: format!("/dev/x{minor}"),
            }),
            _ => Err(MountInfoError::SeveralRoots),
        };
        prop_assert_eq!(RootMount::parse(text.as_bytes()), expected);
    }

    /// A line that breaks off is refused, or its device is known already.
    #[test]
    fn lines_that_break_off_never_name_another_device(end in 0_usize..60) {
        const LINE: &str = "27 1 253:17 / / rw,relatime shared:1 - ext4 /dev/mapper/x rw";
        if let Ok(mount) = RootMount::parse(&LINE.as_bytes()[..end]) {
            prop_assert_eq!((mount.major, mount.minor, mount.filesystem.as_str()), (253, 17, "ext4"));
        }
    }
}
