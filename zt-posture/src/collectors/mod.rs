//! The collectors of this crate, one file each.

mod disk_encrypted;
mod kernel_version;
mod os_version;
mod reboot_required;
mod secure_boot;

use crate::collector::Collector;

/// All collectors of this crate, in the order of their names; see the [front page](crate#what-is-looked-at).
pub const BUILT_IN: [&dyn Collector; 5] = [
    &disk_encrypted::DiskEncrypted,
    &kernel_version::KernelVersion,
    &os_version::OsVersion,
    &reboot_required::RebootRequired,
    &secure_boot::SecureBoot,
];
