//! The controller's timeline on this machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use zt_backend_userspace::clock::{BootClock as _, HostClock};
use zt_core::control::Clock;
use zt_core::time::{Anchor, Timestamp};

/// Wall time that was read once and is carried on by boot-time elapsed.
#[derive(Debug, Clone, Copy)]
pub struct AnchoredClock {
    anchor: Anchor,
}

impl AnchoredClock {
    /// Reads the wall clock, this once.
    #[must_use]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = Timestamp::from_millis(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX));
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
