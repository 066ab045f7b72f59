//! Settings of the host that the filter relies on, and the host's clock.

use std::fs;
use std::net::IpAddr;

use zt_core::time::BootInstant;

use super::config::FilterConfig;
use super::error::InstallError;

/// Sets what has to be set before the link is up; says how many settings were others.
pub(super) fn prepare(config: &FilterConfig) -> Result<usize, InstallError> {
    let mut changed = 0_usize;
    let mut set = |name: &str, value: &str| {
        set(name, value).map(|was_other| changed = changed.saturating_add(was_other.into()))
    };
    // else established sockets of the host itself get packets past the routing that refuses them
    set("net/ipv4/ip_early_demux", "0")?;
    set("net/ipv4/ip_forward", "1")?;
    if config.pools.iter().any(|pool| matches!(pool.address(), IpAddr::V6(_))) {
        set("net/ipv6/conf/all/forwarding", "1")?;
    }
    // the check of the way back looks routes up with the mark
    set("net/ipv4/conf/all/src_valid_mark", "1")?;
    Ok(changed)
}

/// Of the calling thread's network namespace; whether it was another.
fn set(name: &str, value: &str) -> Result<bool, InstallError> {
    let path = format!("/proc/sys/{name}");
    if fs::read_to_string(&path).is_ok_and(|present| present.trim() == value) {
        return Ok(false);
    }
    let written = fs::write(&path, value).map(|()| true);
    written.map_err(|source| InstallError::Setting { name: name.to_owned(), source })
}

/// The host's boot clock, which counts suspend.
pub(crate) fn boot_clock() -> BootInstant {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(u64::MAX);
    let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0);
    BootInstant::from_millis(seconds.saturating_mul(1_000).saturating_add(millis))
}
