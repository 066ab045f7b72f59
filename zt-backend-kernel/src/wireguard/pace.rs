//! How many peers go into one call, by how long calls take.

use std::time::Duration;

/// How long a call is to take at most. The kernel holds a lock meanwhile that all who configure networks wait for, and
/// a cut among them.
pub(super) const TARGET: Duration = Duration::from_millis(50);

/// The most peers in a call.
const MOST: usize = 256;

/// A number of peers that follows how long calls take: to remove a peer costs some fifty times more with one kernel
/// than with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    peers: usize,
    target: Duration,
}

impl Pace {
    /// Begins with this number.
    pub(super) const fn new(peers: usize, target: Duration) -> Self {
        Self { peers, target }
    }

    /// How many peers go into the next call.
    pub(super) const fn peers(&self) -> usize {
        self.peers
    }

    /// Learns that a call with this number of peers took so long. The number grows slowly and shrinks at once.
    pub(super) fn learn(&mut self, peers: usize, elapsed: Duration) {
        let each = elapsed.as_nanos().checked_div(u128::try_from(peers).unwrap_or(u128::MAX));
        let fitting = self.target.as_nanos().checked_div(each.unwrap_or(0)).unwrap_or(u128::MAX);
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        // a call with few peers says little of one with many
        let most = peers.saturating_mul(2).max(self.peers).min(MOST);
        self.peers = fitting.clamp(1, most);
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "small numbers")]
mod tests {
    use super::*;

    /// Removes peers at a cost for each, and tells the longest call after the first, and the number in the end.
    fn run(each: Duration) -> (Duration, usize) {
        let mut pace = Pace::new(16, TARGET);
        let mut longest = Duration::ZERO;
        for call in 0..20 {
            let peers = pace.peers();
            let elapsed = each * u32::try_from(peers).unwrap();
            if call > 0 {
                longest = longest.max(elapsed);
            }
            pace.learn(peers, elapsed);
        }
        (longest, pace.peers())
    }

    #[test]
    fn calls_keep_to_the_target_after_the_first() {
        assert_eq!(run(Duration::from_micros(9_400)), (Duration::from_millis(47), 5));
        assert_eq!(run(Duration::from_micros(200)), (Duration::from_millis(50), 250));
        assert_eq!(run(Duration::from_nanos(1)).1, 256);
        assert_eq!(run(Duration::ZERO).1, 256);
        assert_eq!(run(Duration::from_secs(1)).1, 1);
    }

    #[test]
    fn a_call_with_one_peer_says_nothing_of_one_with_many() {
        let mut pace = Pace::new(16, TARGET);
        pace.learn(1, Duration::from_micros(1));
        assert_eq!(pace.peers(), 16);
    }

    #[test]
    fn one_slow_call_is_forgotten() {
        let mut pace = Pace::new(16, TARGET);
        pace.learn(16, Duration::from_secs(10));
        assert_eq!(pace.peers(), 1);
        for _ in 0..5 {
            pace.learn(pace.peers(), Duration::from_micros(10));
        }
        assert_eq!(pace.peers(), 32);
    }
}
