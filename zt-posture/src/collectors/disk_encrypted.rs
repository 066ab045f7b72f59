//! Whether everything that the root filesystem lies on is encrypted.
//!
//! Only dm-crypt is seen. A disk that encrypts by itself, or that the host of a virtual machine encrypts, counts as
//! plain; the null cipher of dm-crypt cannot be told from others without root.

use zt_core::device::{FactKind, FactValue};

use crate::block::{Encryption, examine};
use crate::btrfs;
use crate::collector::{Collector, Finding};
use crate::mountinfo::RootMount;
use crate::names;
use crate::sysroot::Sysroot;

const MOUNTS: &str = "/proc/self/mountinfo";

pub(super) struct DiskEncrypted;

impl Collector for DiskEncrypted {
    fn name(&self) -> &str {
        names::DISK_ENCRYPTED
    }

    fn kind(&self) -> FactKind {
        FactKind::Bool
    }

    fn find(&self, sysroot: &Sysroot) -> Finding {
        let devices = match devices(sysroot) {
            Ok(devices) => devices,
            Err(reason) => return Finding::Unknown(reason),
        };
        match examine(sysroot, devices) {
            Encryption::Encrypted(file) => Finding::pass(FactValue::Bool(true), &file),
            Encryption::Plain(device) => Finding::fail(FactValue::Bool(false), &device),
            Encryption::Unclear(reason) => Finding::Unknown(reason),
        }
    }
}

/// The directories in `/sys` of the devices that the root filesystem is on.
fn devices(sysroot: &Sysroot) -> Result<Vec<String>, String> {
    let bytes = sysroot.read(MOUNTS).map_err(|error| error.to_string())?;
    let mount = RootMount::parse(&bytes).map_err(|error| format!("`{MOUNTS}`: {error}"))?;
    match (mount.major, mount.filesystem.as_str()) {
        (0, "btrfs") => btrfs::devices(sysroot, &mount),
        (0, other) => Err(format!("`/` is of type `{other}`, which has no block device of its own")),
        (major, _) => Ok(vec![format!("/sys/dev/block/{major}:{}", mount.minor)]),
    }
}
