//! The machine that runs the tests, whatever it is like, and sysroots that are none.

use std::path::Path;

use proptest::prelude::*;
use zt_posture::collect;

use crate::fixture::{Fixture, NOW, check_shape, shown};

#[test]
fn this_machine_gives_facts_of_the_right_shape() {
    let facts = collect(Path::new("/"), NOW);
    check_shape(&facts);
    for fact in &facts {
        println!("{}: {}", fact.name, shown(fact)); // seen with --nocapture
    }
}

#[test]
fn without_a_sysroot_all_is_unknown() {
    let fixture = Fixture::new(&["file /etc/os-release ID=debian"]);
    for path in [fixture.path("/nowhere"), fixture.path("/etc/os-release"), "".into(), "\0".into()] {
        let facts = collect(&path, NOW);
        check_shape(&facts);
        assert!(facts.iter().all(|fact| fact.status.as_str() == "unknown"), "{path:?}: {facts:?}");
    }
}

#[test]
fn an_empty_sysroot_passes_nothing() {
    let facts = collect(&Fixture::new(&[]).root(), NOW);
    check_shape(&facts);
    assert!(facts.iter().all(|fact| fact.status.as_str() == "unknown"), "{facts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Files with anything in them make facts of the right shape, with texts that are fit for logs.
    #[test]
    fn any_contents_give_facts_of_the_right_shape(
        contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 6),
    ) {
        let paths = [
            "/etc/os-release",
            "/proc/sys/kernel/osrelease",
            "/proc/self/mountinfo",
            "/sys/dev/block/8:1/dm/uuid",
            "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
            "/sys/firmware/efi/efivars/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c",
        ];
        let fixture = Fixture::new(&["dir /etc", "dir /proc/sys/kernel", "dir /proc/self", "dir /run",
            "dir /sys/dev/block/8:1/dm", "dir /sys/firmware/efi/efivars"]);
        for (path, bytes) in paths.iter().zip(contents) {
            std::fs::write(fixture.path(path), bytes).unwrap();
        }
        check_shape(&collect(&fixture.root(), NOW));
    }
}
