//! Encryption of random stacks of devices, against a naive reading of them.

use proptest::prelude::*;
use zt_core::device::FactStatus;
use zt_posture::collect;

use crate::fixture::{Fixture, NOW};

/// One device: whether it encrypts, and which of the later ones it lies on.
type Device = (bool, Vec<bool>);

const DEVICES: usize = 6;

fn encrypted(devices: &[Device], index: usize) -> bool {
    let (encrypts, below) = &devices[index];
    let mut below = (index + 1..devices.len()).filter(|other| below[*other]).peekable();
    *encrypts || (below.peek().is_some() && below.all(|other| encrypted(devices, other)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// A root passes exactly if every way down from it meets a layer that encrypts.
    #[test]
    fn every_way_down_has_to_be_encrypted(
        devices in proptest::collection::vec(
            (proptest::bool::weighted(0.4), proptest::collection::vec(proptest::bool::weighted(0.4), DEVICES)),
            DEVICES,
        ),
    ) {
        let mut table = String::from("file /proc/self/mountinfo 1 0 9:0 / / rw - ext4 /dev/md0 rw\n");
        for (index, (encrypts, below)) in devices.iter().enumerate() {
            let directory = format!("/sys/block/d{index}");
            table += &format!("file {directory}/dev 9:{index}\ndir {directory}/slaves\n");
            table += &format!("link /sys/dev/block/9:{index} ../../block/d{index}\n");
            if *encrypts {
                table += &format!("file {directory}/dm/uuid CRYPT-LUKS2-{index}\n");
            }
            for other in (index + 1..DEVICES).filter(|other| below[*other]) {
                table += &format!("link {directory}/slaves/d{other} ../../d{other}\n");
            }
        }
        let facts = collect(&Fixture::new(&[&table]).root(), NOW);
        let expected = if encrypted(&devices, 0) { FactStatus::Pass } else { FactStatus::Fail };
        prop_assert_eq!(facts[0].status, expected, "{:?} of {:?}", facts[0], devices);
    }
}
