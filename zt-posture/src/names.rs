//! The names of the facts that the collectors of this crate find, for `[[fact]]` in `site.toml`.

/// Whether everything that the root filesystem lies on is encrypted; a bool.
pub const DISK_ENCRYPTED: &str = "disk_encrypted";
/// The release of the running kernel, such as `6.1.0-18-amd64`; a string.
pub const KERNEL_VERSION: &str = "kernel_version";
/// The distribution and its version, such as `debian 12`; a string.
pub const OS_VERSION: &str = "os_version";
/// Whether an update waits for a restart; a bool that fails when true.
pub const REBOOT_REQUIRED: &str = "reboot_required";
/// Whether the firmware starts only what is signed; a bool.
pub const SECURE_BOOT: &str = "secure_boot";
