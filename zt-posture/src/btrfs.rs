//! The block devices of a btrfs filesystem, which `/proc/self/mountinfo` does not number.

use crate::mountinfo::RootMount;
use crate::sysroot::{ReadError, Sysroot};

const FILESYSTEMS: &str = "/sys/fs/btrfs";

/// The directories in `/sys` of all devices of the mounted filesystem.
pub(crate) fn devices(sysroot: &Sysroot, mount: &RootMount) -> Result<Vec<String>, String> {
    for filesystem in sysroot.list(FILESYSTEMS).map_err(|error| error.to_string())? {
        let directory = format!("{FILESYSTEMS}/{filesystem}/devices");
        let names = match sysroot.list(&directory) {
            Ok(names) => names,
            Err(error) if error.is_missing() => continue,
            Err(error) => return Err(error.to_string()),
        };
        let paths: Vec<String> = names.iter().map(|name| format!("{directory}/{name}")).collect();
        for (name, path) in names.iter().zip(&paths) {
            if is_source(sysroot, (name, path), &mount.source).map_err(|error| error.to_string())? {
                return Ok(paths);
            }
        }
    }
    Err(format!("no filesystem of `{FILESYSTEMS}` has the device `{}`", mount.source))
}

/// Whether a device, given by its name and directory, is what the mount calls `source`.
fn is_source(sysroot: &Sysroot, (name, path): (&str, &str), source: &str) -> Result<bool, ReadError> {
    let Some(node) = source.strip_prefix("/dev/") else { return Ok(false) };
    let Some(mapping) = node.strip_prefix("mapper/") else { return Ok(node == name) };
    match sysroot.read_text(&format!("{path}/dm/name")) {
        Ok(text) => Ok(text.trim_end() == mapping),
        Err(error) if error.is_missing() => Ok(false),
        Err(error) => Err(error),
    }
}
