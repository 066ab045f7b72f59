//! Plans that come late, again, or after later ones: how long what they give lasts.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use zt_backend_userspace::clock::{BootClock as _, ManualClock};
use zt_backend_userspace::filter::{Direction, Filter, Verdict};
use zt_core::desired::{Pair, PairEnd, Source};
use zt_core::id::{RegionId, SessionEpoch, SessionId};
use zt_core::plan::{Add, Cut, Gate};
use zt_core::testing::bytes::udp;
use zt_core::time::{Anchor, BootInstant, Timestamp};

use crate::lab::{DNS, address, socket};

const DEVICE: &str = "10.99.0.2:40000";
/// The boot clock when the controller's timeline begins.
const START: BootInstant = BootInstant::from_millis(7_000);

fn at(seconds: u64) -> Timestamp {
    Timestamp::default().after(Duration::from_secs(seconds))
}

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gate,
    Source,
    Pair,
}

const KINDS: [Kind; 3] = [Kind::Gate, Kind::Source, Kind::Pair];

impl Kind {
    fn add(self, until: Timestamp) -> Add {
        let source = address("10.99.0.2");
        match self {
            Self::Gate => Add::Gate(until),
            Self::Source => {
                Add::Source(source, Source { session: SessionId(1), epoch: SessionEpoch(0), until })
            }
            Self::Pair => Add::Pair(Pair { source, region: RegionId(DNS.region) }, PairEnd::At(until)),
        }
    }

    fn cut(self, until: Timestamp) -> Option<Cut> {
        match self.add(until) {
            Add::Source(address, source) => Some(Cut::SourceUntil(address, source)),
            Add::Pair(pair, end) => Some(Cut::PairUntil(pair, end)),
            Add::Peer(_) | Add::AllowedIp(..) | Add::Cell(..) | Add::Gate(_) => None,
        }
    }
}

/// A filter in which a device may send as long as one thing lasts.
struct Bench {
    clock: Arc<ManualClock>,
    filter: Filter,
    kind: Kind,
}

impl Bench {
    /// Everything but what ends is there for long.
    fn new(kind: Kind) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let filter = Filter::new(clock.clone());
        let bench = Self { clock, filter, kind };
        bench.add(0, &Add::Cell(DNS.cell(), RegionId(DNS.region)));
        for other in KINDS.into_iter().filter(|other| *other != kind) {
            bench.add(0, &other.add(at(1_000_000)));
        }
        bench
    }

    /// Seconds since the start.
    fn now(&self) -> u64 {
        self.clock.now().since(START).as_secs()
    }

    fn wait_until(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds - self.now()));
    }

    /// Carries out, at this moment, a step of a plan that was made at another.
    fn add(&self, made: u64, add: &Add) {
        self.filter.add(&[add], Anchor { at: at(made), boot: self.clock.now() }).unwrap();
    }

    fn cut(&self, made: u64, cut: &Cut) {
        self.filter.cut(&[cut], Anchor { at: at(made), boot: self.clock.now() });
    }

    /// The end of what ends, by a plan that was made at `made`.
    fn until(&self, made: u64, until: u64) {
        self.add(made, &self.kind.add(at(until)));
    }

    fn passes(&self) -> bool {
        let packet = udp(socket(DEVICE), socket("10.100.5.10:5000"), b"there");
        self.filter.pass(Direction::FromDevice, &packet, |_| true) == Verdict::Accept
    }

    /// Whether it ends with this second, and is observed so.
    fn ends_at(&self, seconds: u64) -> bool {
        self.wait_until(seconds - 1);
        let before = self.passes();
        let open = self.filter.observe().0 != Gate::Closed;
        self.wait_until(seconds);
        let closed = self.filter.observe().0 == Gate::Closed;
        before && open && !self.passes() && closed == matches!(self.kind, Kind::Gate)
    }
}

/// A lease's plan that was carried out a second time counted from then, and left the gate open for almost twice as long.
#[test]
fn inv_l4_a_plan_that_comes_again_prolongs_nothing() {
    for kind in KINDS {
        let bench = Bench::new(kind);
        bench.until(0, 60);
        bench.wait_until(50);
        bench.until(0, 60);
        assert!(bench.ends_at(60), "{kind:?}");
    }
}

/// Of two leases that were overtaken one by the other, the earlier one moved the gate's end on, and what was observed
/// was not what was open.
#[test]
fn inv_l4_a_lease_that_comes_after_a_later_one_changes_nothing() {
    for kind in KINDS {
        let bench = Bench::new(kind);
        bench.until(0, 20);
        bench.wait_until(10);
        bench.until(10, 90);
        bench.wait_until(55);
        let before = bench.filter.observe();
        bench.until(0, 60);
        assert_eq!(bench.filter.observe(), before, "{kind:?}");
        assert!(bench.ends_at(90), "{kind:?}");
    }
}

/// A later end that came late counted from when it came, although what was there told how late that was.
#[test]
fn inv_l4_a_later_end_that_comes_late_counts_from_the_end_that_it_follows() {
    for kind in KINDS {
        let bench = Bench::new(kind);
        bench.until(0, 60);
        bench.wait_until(55);
        bench.until(30, 90);
        assert!(bench.ends_at(90), "{kind:?}");
    }
}

/// One that nobody has told of before counts from when it comes: a clock that was put right opens the gate again.
#[test]
fn inv_c2_a_gate_that_has_ended_is_opened_anew() {
    let bench = Bench::new(Kind::Gate);
    bench.until(0, 60);
    bench.wait_until(60);
    assert!(!bench.passes());
    bench.until(20, 50);
    assert_eq!(bench.filter.observe().0, Gate::OpenUntil(at(50)));
    assert!(bench.ends_at(90));
}

#[derive(Debug, Clone)]
struct Arrival {
    after: u64,
    late: u64,
    lasts: u64,
    cuts: bool,
}

fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let arrival = (0..20_u64, 0..40_u64, 1..60_u64, prop::bool::weighted(0.2));
    let arrival = arrival.prop_map(|(after, late, lasts, cuts)| Arrival { after, late, lasts, cuts });
    prop::collection::vec(arrival, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However late, often and out of order plans come once one has come in time: what they give ends when they say.
    #[test]
    fn inv_l4_ends_are_those_of_the_plans_whenever_these_come(arrivals in arrivals()) {
        for kind in KINDS {
            let bench = Bench::new(kind);
            bench.until(0, 60);
            let mut end = 60;
            for Arrival { after, late, lasts, cuts } in &arrivals {
                bench.wait_until(bench.now() + after);
                prop_assert_eq!(bench.passes(), bench.now() < end, "{:?} at {}", kind, bench.now());
                if bench.now() >= end {
                    break;
                }
                let made = bench.now().saturating_sub(*late);
                let until = made + lasts;
                match kind.cut(at(until)) {
                    Some(cut) if *cuts => {
                        bench.cut(made, &cut);
                        end = end.min(until);
                    }
                    _ => {
                        bench.until(made, until);
                        end = end.max(until);
                    }
                }
            }
            if bench.now() < end {
                prop_assert!(bench.ends_at(end), "{:?} at {}", kind, end);
            }
        }
    }
}
