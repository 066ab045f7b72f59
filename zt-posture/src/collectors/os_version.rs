//! The distribution and its version.

use zt_core::device::{FactKind, FactValue};

use crate::collector::{Collector, Finding};
use crate::names;
use crate::os_release::OsRelease;
use crate::sysroot::Sysroot;

/// Where the file may be; the first that is there counts, readable or not.
const FILES: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

pub(super) struct OsVersion;

impl Collector for OsVersion {
    fn name(&self) -> &str {
        names::OS_VERSION
    }

    fn kind(&self) -> FactKind {
        FactKind::String
    }

    fn find(&self, sysroot: &Sysroot) -> Finding {
        for file in FILES {
            let bytes = match sysroot.read(file) {
                Ok(bytes) => bytes,
                Err(error) if error.is_missing() => continue,
                Err(error) => return Finding::Unknown(error.to_string()),
            };
            return match OsRelease::parse(&bytes) {
                Ok(release) => Finding::pass(FactValue::String(release.name()), file),
                Err(error) => Finding::Unknown(format!("`{file}`: {error}")),
            };
        }
        Finding::Unknown(format!("neither `{}` is there", FILES.join("` nor `")))
    }
}
