//! Whether the firmware starts only what is signed.

use zt_core::device::{FactKind, FactValue};

use crate::collector::{Collector, Finding};
use crate::names;
use crate::sysroot::{ReadError, Sysroot};

const FIRMWARE: &str = "/sys/firmware";
const EFI: &str = "/sys/firmware/efi";

// Variables of the UEFI specification, and one of shim: 1 if it was told to start anything (the kernel asks it, too).
const SECURE_BOOT: &str = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
const SETUP_MODE: &str = "/sys/firmware/efi/efivars/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c";
const SHIM_INSECURE: &str = "/sys/firmware/efi/efivars/MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23";

pub(super) struct SecureBoot;

impl Collector for SecureBoot {
    fn name(&self) -> &str {
        names::SECURE_BOOT
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
    if !exists(FIRMWARE)? {
        return Err(format!("`{FIRMWARE}` is missing"));
    }
    if !exists(EFI)? {
        return Ok(Finding::Unsupported(format!("`{EFI}` is missing: not started by EFI")));
    }
    let failing = |source: &str| Ok(Finding::fail(FactValue::Bool(false), source));
    if !flag(SECURE_BOOT, sysroot.read(SECURE_BOOT))? {
        return failing(SECURE_BOOT);
    }
    if flag(SETUP_MODE, sysroot.read(SETUP_MODE))? {
        return failing(SETUP_MODE);
    }
    match sysroot.read(SHIM_INSECURE) {
        Err(error) if error.is_missing() => {}
        shim => {
            if flag(SHIM_INSECURE, shim)? {
                return failing(SHIM_INSECURE);
            }
        }
    }
    Ok(Finding::pass(FactValue::Bool(true), SECURE_BOOT))
}

/// The value of a variable: four bytes of attributes, and one that is 0 or 1.
fn flag(path: &str, read: Result<Vec<u8>, ReadError>) -> Result<bool, String> {
    match read.map_err(|error| error.to_string())?.as_slice() {
        [_, _, _, _, 0] => Ok(false),
        [_, _, _, _, 1] => Ok(true),
        _ => Err(format!("`{path}` is neither on nor off")),
    }
}
