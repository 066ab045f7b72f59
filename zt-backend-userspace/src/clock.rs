//! The clock that deadlines run on, which counts from the start of the host, suspend included; and wall time by it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use zt_core::control::Clock;
use zt_core::time::{Anchor, BootInstant, Timestamp};

/// A boot clock. It never runs backwards and is not moved by changes of the wall clock.
pub trait BootClock: Send + Sync + fmt::Debug {
    /// Reads it.
    fn now(&self) -> BootInstant;
}

/// The host's own boot clock, `CLOCK_BOOTTIME`.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostClock;

impl BootClock for HostClock {
    fn now(&self) -> BootInstant {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(u64::MAX);
        let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0);
        BootInstant::from_millis(seconds.saturating_mul(1_000).saturating_add(millis))
    }
}

/// The controller's timeline on this host: wall time that was read once and is carried on by the boot clock.
///
/// Later steps of the wall clock do not move it. Needs a tokio runtime with time enabled to sleep.
#[derive(Debug, Clone, Copy)]
pub struct AnchoredClock {
    anchor: Anchor,
}

impl AnchoredClock {
    /// Reads the wall clock, this once. A wall clock before 1970 counts as 1970.
    #[must_use]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = Timestamp::from_millis(0).after(wall);
        Self { anchor: Anchor { at, boot: HostClock.now() } }
    }
}

#[async_trait]
impl Clock for AnchoredClock {
    fn now(&self) -> Timestamp {
        self.anchor.time_at(HostClock.now())
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// A clock that stands still until it is told otherwise: for tests and simulations.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that reads `now`.
    #[must_use]
    pub const fn new(now: BootInstant) -> Self {
        Self(AtomicU64::new(now.as_millis()))
    }

    /// Moves it on by `span`, in whole milliseconds.
    pub fn advance(&self, span: Duration) {
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let moved = |now: u64| Some(now.saturating_add(span));
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
    }
}

impl BootClock for ManualClock {
    fn now(&self) -> BootInstant {
        BootInstant::from_millis(self.0.load(Ordering::SeqCst))
    }
}
