//! The kernel tier: tests on kernels of Debian, with their real WireGuard and nftables, in virtual machines.
//!
//! ```console
//! $ cargo run --release -p zt-kernel-tests                                    # on Linux 6.1 and on 6.12
//! $ cargo run --release -p zt-kernel-tests -- --kernel 6.12 --filter wireguard
//! ```
//!
//! The last line is `N passed, N failed`. It needs no root and changes nothing of the host: packages of kernels are
//! extracted into the target folder, never installed.
//!
//! ```text
//!  host: zt-kernel-tests                                  guest: one boot for each kernel
//!  apt index ─► package ─► kernel image ───────────────►  QEMU (TCG, no KVM)
//!                     └──► modules ──┐                      │
//!  cargo build (musl) ───► `guest` ──┴─► initramfs ──────►  `guest` as pid 1: modules, cases, power off
//!  report, exit code ◄──────────────── serial console ◄──   INIT, CASE, PASS, FAIL, END among the kernel's log
//! ```
//!
//! Where something is missing, it says `SKIPPED kernel tier` and what, and succeeds; with `ZT_REQUIRE_ALL=1` it fails.
//!
//! A new case is a line in `src/guest/cases/mod.rs`, with an async function that panics when what it tests is wrong.
//! Its thread is in a new network namespace; it gets more of them, and threads in them, from `Namespace`.
//!
//! What both sides have to agree on is here: what is said on the [`console`], and the [`layout`] of the initramfs.

pub mod console;

/// Where things are in the initramfs.
pub mod layout {
    /// The kernel modules, as they have to be loaded.
    pub const MODULES: &str = "modules";
    /// The modules' file names, one a line, each after those that it needs.
    pub const MODULE_ORDER: &str = "modules/order";
    /// A part of the names of the cases to run; empty for all.
    pub const FILTER: &str = "filter";
    /// The program that the kernel starts.
    pub const INIT: &str = "init";
}
