//! What a Linux device finds out about itself, without root: encryption, secure boot, versions, pending restarts.
//!
//! What this crate guarantees:
//!
//! * **Doubt is never a pass.** What cannot be read, parsed or told is `Unknown`, what the platform cannot have is
//!   `Unsupported`; both say why in [`PostureFact::source`], and neither carries a value.
//! * **Every question gets an answer.** [`collect`] returns one fact for each collector, sorted by name, whatever the
//!   machine is like. It has no error and does not panic.
//! * **No file can harm.** Paths are resolved by the kernel inside the sysroot, links included. Only regular files are
//!   opened, so that no FIFO or device blocks or reacts; sizes and numbers of entries are bounded.
//! * **Nothing is claimed beyond the evidence.** All facts have the tier [`Tier::SelfAsserted`]: a device whose root
//!   lies can say anything here.
//!
//! [`collect`] asks all collectors; [`Sysroot`] is the only way to a file, [`Collector`] the way to add a question.
//!
//! ```
//! use std::path::Path;
//!
//! use zt_core::device::{FactKind, FactStatus, FactValue};
//! use zt_core::time::Timestamp;
//! use zt_posture::{BUILT_IN, Collector, Finding, Sysroot, collect, collect_with, names};
//!
//! let now = Timestamp::from_millis(1_790_000_000_000);
//! for fact in collect(Path::new("/"), now) {
//!     println!("{:<16} {:<12} {:?} ({})", fact.name, fact.status.as_str(), fact.value, fact.source);
//! }
//!
//! // A question of one's own, asked together with the others.
//! struct Hostname;
//! impl Collector for Hostname {
//!     fn name(&self) -> &str {
//!         "hostname"
//!     }
//!     fn kind(&self) -> FactKind {
//!         FactKind::String
//!     }
//!     fn find(&self, sysroot: &Sysroot) -> Finding {
//!         const FILE: &str = "/proc/sys/kernel/hostname";
//!         match sysroot.read_text(FILE) {
//!             Ok(text) => Finding::pass(FactValue::String(text.trim_end().to_owned()), FILE),
//!             Err(error) => Finding::Unknown(error.to_string()),
//!         }
//!     }
//! }
//! let all: Vec<&dyn Collector> = BUILT_IN.into_iter().chain([&Hostname as &dyn Collector]).collect();
//! let facts = collect_with(&all, Path::new("/no/such/sysroot"), now);
//! assert_eq!(facts.len(), 6);
//! assert!(facts.iter().all(|fact| fact.status == FactStatus::Unknown));
//! assert_eq!(facts[0].name.as_str(), names::DISK_ENCRYPTED);
//! assert_eq!(facts[0].source, "`/no/such/sysroot` is missing");
//! ```
//!
//! # From files to facts
//!
//! ```text
//! sysroot ─► Sysroot ─► Collector::find ─► Finding ─► kind, size and control characters checked ─► PostureFact
//!            openat2    one for each name
//! ```
//!
//! # What is looked at
//!
//! | fact | passes if | looked at |
//! |---|---|---|
//! | [`disk_encrypted`](names::DISK_ENCRYPTED) | all devices under `/` are on dm-crypt | `/proc/self/mountinfo`, `/sys/dev/block`, `/sys/fs/btrfs` |
//! | [`kernel_version`](names::KERNEL_VERSION) | it can be told | `/proc/sys/kernel/osrelease` |
//! | [`os_version`](names::OS_VERSION) | it can be told | `/etc/os-release`, else `/usr/lib/os-release` |
//! | [`reboot_required`](names::REBOOT_REQUIRED) | the flag is absent, and something is installed that would set it | `/run/reboot-required` |
//! | [`secure_boot`](names::SECURE_BOOT) | it is on, setup mode off, and shim verifies | `/sys/firmware/efi/efivars` |
//!
//! Time is not bounded: a sysroot on a network filesystem that hangs makes [`collect`] hang. Under a sysroot other than
//! `/`, `/proc` and `/sys` are those of the sysroot.
//!
//! Linux 5.6 or later is needed; where `openat2` is missing or forbidden, every fact is `Unknown`.
//!
//! [`PostureFact::source`]: zt_core::device::PostureFact::source
//! [`Tier::SelfAsserted`]: zt_core::device::Tier::SelfAsserted

mod block;
mod btrfs;
mod collector;
mod collectors;
mod fact;
pub mod mountinfo;
pub mod names;
pub mod os_release;
mod sysroot;

pub use collector::{Collector, Finding};
pub use collectors::BUILT_IN;
pub use fact::{collect, collect_with};
pub use sysroot::{MAX_ENTRIES, MAX_FILE_BYTES, ReadError, ReadFault, Sysroot};
