//! Whether an update waits for a restart.

use zt_core::device::{FactKind, FactValue};

use crate::collector::{Collector, Finding};
use crate::names;
use crate::sysroot::Sysroot;

const FLAG: &str = "/run/reboot-required";

/// What sets the flag, on Debian and its kin: the hooks of unattended-upgrades and of update-notifier. Where there is
/// none, that the flag is absent says nothing.
const SETTERS: [&str; 2] =
    ["/etc/kernel/postinst.d/unattended-upgrades", "/usr/share/update-notifier/notify-reboot-required"];

pub(super) struct RebootRequired;

impl Collector for RebootRequired {
    fn name(&self) -> &str {
        names::REBOOT_REQUIRED
    }

    fn kind(&self) -> FactKind {
        FactKind::Bool
    }

    fn find(&self, sysroot: &Sysroot) -> Finding {
        let exists = |path: &str| sysroot.exists(path).map_err(|error| Finding::Unknown(error.to_string()));
        let look = || {
            if exists(FLAG)? {
                return Ok(Finding::fail(FactValue::Bool(true), FLAG));
            }
            for path in SETTERS {
                if exists(path)? && exists("/run")? {
                    return Ok(Finding::pass(FactValue::Bool(false), FLAG));
                }
            }
            Ok(Finding::Unknown(format!("nothing is installed that would make `{FLAG}`")))
        };
        look().unwrap_or_else(|finding: Finding| finding)
    }
}
