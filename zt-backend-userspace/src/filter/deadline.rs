//! Ends, as the controller tells them and as the boot clock does.

use zt_core::time::{Anchor, BootInstant, Timestamp};

/// An end: an instant of the controller's timeline, and where that lies on the boot clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) until: Timestamp,
    ends: BootInstant,
}

impl Deadline {
    /// What has ended by the anchor ends at once (INV-L3).
    pub(super) fn new(until: Timestamp, anchor: Anchor) -> Self {
        Self { until, ends: anchor.boot.after(until.since(anchor.at)) }
    }

    /// An end that follows the one that is held. One that has come says nothing about the next.
    pub(super) fn following(held: Option<Self>, until: Timestamp, anchor: Anchor) -> Self {
        let living = held.filter(|held| !held.has_come(anchor.boot));
        living.map_or_else(|| Self::new(until, anchor), |held| held.moved(until, anchor))
    }

    /// This end put off or brought forward.
    ///
    /// The anchor of a plan that comes late is that much too late, and so was perhaps that of the plan before. Neither is
    /// too early, so of the places that follow from the two the sooner one holds (INV-L4).
    pub(super) fn moved(self, until: Timestamp, anchor: Anchor) -> Self {
        let put_off = self.ends.after(until.since(self.until));
        let forward = u64::try_from(self.until.since(until).as_millis()).unwrap_or(u64::MAX);
        let moved = BootInstant::from_millis(put_off.as_millis().saturating_sub(forward));
        Self { until, ends: Self::new(until, anchor).ends.min(moved) }
    }

    /// Whether it has come by `now`.
    pub(super) fn has_come(&self, now: BootInstant) -> bool {
        self.ends <= now
    }
}
