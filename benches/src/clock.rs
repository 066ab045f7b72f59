//! Times, always of two sides in turn.

use std::time::{Duration, Instant};

/// The least and the middle of several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The least.
    pub min: Duration,
    /// The middle one.
    pub median: Duration,
}

impl Times {
    /// The least and the middle of `all`; zero if there are none.
    #[must_use]
    pub fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        let at = |index: usize| all.get(index).copied().unwrap_or_default();
        Self { min: at(0), median: at(all.len() / 2) }
    }

    /// Both, divided by `calls`.
    #[must_use]
    pub fn per(self, calls: u32) -> Self {
        let each = |time: Duration| time.checked_div(calls).unwrap_or_default();
        Self { min: each(self.min), median: each(self.median) }
    }
}

/// How long one call takes.
pub fn time<T>(call: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = call();
    (start.elapsed(), result)
}

/// The time for which this process has had a processor, in all threads that are left; `None` where the system does not
/// tell.
#[must_use]
pub fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Times `ours` and `theirs` in turn, `rounds` times, so that a slow spell of the machine hits both.
///
/// Each is called so often in a round that the round takes at least some milliseconds.
pub fn in_turn(rounds: u32, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> (Times, Times) {
    let (our_calls, their_calls) = (calls(&mut ours), calls(&mut theirs));
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        our_times.push(repeat(our_calls, &mut ours));
        their_times.push(repeat(their_calls, &mut theirs));
    }
    (Times::of(our_times).per(our_calls), Times::of(their_times).per(their_calls))
}

const ROUND: Duration = Duration::from_millis(4);

/// How many calls fill a round; finding out also warms up.
fn calls(call: &mut impl FnMut()) -> u32 {
    let mut calls = 1_u32;
    while repeat(calls, call) < ROUND && calls < 1 << 20 {
        calls *= 2;
    }
    calls
}

fn repeat(calls: u32, call: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed()
}
