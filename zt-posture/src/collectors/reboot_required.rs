//! Whether an update waits for a restart.

use zt_core::device::{FactKind, FactValue};

use crate::collector::{Collector, Finding};
use crate::names;
use crate::sysroot::Sysroot;

const RUN: &str = "/run";
const FLAG: &str = "/run/reboot-required";

// What sets the flag, on Debian and its kin. Where neither is installed, that the flag is absent says nothing.
const UPGRADES: &str = "/etc/kernel/postinst.d/unattended-upgrades";
const NOTIFIER: &str = "/usr/share/update-notifier/notify-reboot-required";

pub(super) struct RebootRequired;

impl Collector for RebootRequired {
    fn name(&self) -> &str {
        names::REBOOT_REQUIRED
    }

    fn kind(&self) -> FactKind {
        FactKind::Bool
    }

    fn find(&self, sysroot: &Sysroot) -> Finding {
        look(sysroot).unwrap_or_else(Finding::Unknown)
    }
}

fn look(sysroot: &Sysroot) -> Result<Finding, String> {
    let exists = |path: &str| sysroot.exists(path).map_err(|error| error.to_string());
    if exists(FLAG)? {
        return Ok(Finding::fail(FactValue::Bool(true), FLAG));
    }
    if !exists(UPGRADES)? && !exists(NOTIFIER)? {
        return Err(format!("nothing is installed that would make `{FLAG}`"));
    }
    if !exists(RUN)? {
        return Err(format!("`{RUN}` is missing"));
    }
    Ok(Finding::pass(FactValue::Bool(false), FLAG))
}
