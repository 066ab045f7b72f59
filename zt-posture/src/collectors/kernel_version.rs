//! The release of the running kernel.

use zt_core::device::{FactKind, FactValue};

use crate::collector::{Collector, Finding};
use crate::names;
use crate::sysroot::Sysroot;

const FILE: &str = "/proc/sys/kernel/osrelease";

/// The kernel's own bound (`__NEW_UTS_LEN`).
const MAX_BYTES: usize = 64;

pub(super) struct KernelVersion;

impl Collector for KernelVersion {
    fn name(&self) -> &str {
        names::KERNEL_VERSION
    }

    fn kind(&self) -> FactKind {
        FactKind::String
    }

    fn find(&self, sysroot: &Sysroot) -> Finding {
        let text = match sysroot.read_text(FILE) {
            Ok(text) => text,
            Err(error) => return Finding::Unknown(error.to_string()),
        };
        let release = text.strip_suffix('\n').unwrap_or(&text);
        let numbered = release.starts_with(|c: char| c.is_ascii_digit());
        if !numbered || release.len() > MAX_BYTES || !release.bytes().all(|c| c.is_ascii_graphic()) {
            return Finding::Unknown(format!("`{FILE}` has no release in it"));
        }
        Finding::pass(FactValue::String(release.to_owned()), FILE)
    }
}
