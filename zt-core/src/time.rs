//! Instants: the controller's timeline, and a host's boot clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant on the controller's timeline, in milliseconds since 1970-01-01T00:00:00Z.
///
/// The timeline is wall time that was read once and carried on by boot-time elapsed (see [`Anchor`]); it neither
/// steps nor stops in suspend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `millis` milliseconds after 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The instant `span` later, in whole milliseconds; the end of time if there is none.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long it is from `earlier` to here; zero if `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms after 1970", self.0),
        }
    }
}

/// A reading of a host's boot clock in milliseconds: it counts from the start of the host, suspend included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootInstant(u64);

impl BootInstant {
    /// The instant `millis` milliseconds after the host started.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the host started.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The instant `span` later, in whole milliseconds.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long it is from `earlier` to here; zero if `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Ties a boot clock to the controller's timeline: at `boot` it was `at`, or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The instant on the controller's timeline.
    pub at: Timestamp,
    /// The boot clock's reading then.
    pub boot: BootInstant,
}

impl Anchor {
    /// The controller's time when the boot clock reads `boot`.
    #[must_use]
    pub fn time_at(self, boot: BootInstant) -> Timestamp {
        self.at.after(boot.since(self.boot))
    }
}
