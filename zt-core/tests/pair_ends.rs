//! Pairs that end before their source, from one state to another.

#![allow(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::net::IpAddr;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use zt_core::backend::Backend as _;
use zt_core::desired::{Elements, Pair, PairEnd, Pairs};
use zt_core::id::{Generation, RegionId};
use zt_core::plan::{Add, Plan, Step, steps};
use zt_core::testing::FakeBackend;
use zt_core::time::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(10);

fn pairs() -> impl Strategy<Value = Vec<(Pair, PairEnd)>> {
    let end = prop_oneof![
        Just(PairEnd::WithSource),
        (8_i64..14).prop_map(|at| PairEnd::At(Timestamp::from_millis(at)))
    ];
    let pair = (1_u8..4, 0_u32..4)
        .prop_map(|(host, region)| Pair { source: IpAddr::from([10, 0, 0, host]), region: RegionId(region) });
    proptest::collection::vec((pair, end), 0..16)
}

fn apply(gateway: &FakeBackend, steps: Vec<Step>) {
    let plan = Plan { generation: Generation(1), now: NOW, steps };
    gateway.apply(&plan).now_or_never().unwrap().unwrap();
}

/// What lets something through at `at`.
fn open(pairs: &Pairs, at: Timestamp) -> Vec<Pair> {
    pairs.iter().filter(|(_, end)| !end.has_come(at)).map(|(pair, _)| pair).collect()
}

proptest! {
    /// G2: whatever ends pairs have, each step lets through only what one of the two states does, at any instant from
    /// now on; the last one leads to the desired state, and nothing is left to do.
    #[test]
    fn inv_g2_steps_keep_ends(old in pairs(), new in pairs()) {
        let gateway = FakeBackend::default();
        apply(&gateway, old.iter().map(|(pair, end)| Step::Add(Add::Pair(*pair, *end))).collect());
        let observed = gateway.installed().elements;
        let desired = Elements { pairs: new.into_iter().collect(), ..Elements::default() };
        let mut last = observed.clone();
        let steps_made = steps(&observed, &desired, NOW);
        for step in steps_made {
            apply(&gateway, vec![step.clone()]);
            let present = gateway.installed().elements;
            prop_assert_ne!(&present, &last, "{:?} changes nothing", step);
            for at in (10..15).map(Timestamp::from_millis) {
                let (before, after) = (open(&observed.pairs, at), open(&desired.pairs, at));
                let through = open(&present.pairs, at);
                prop_assert!(through.iter().all(|pair| before.contains(pair) || after.contains(pair)));
            }
            if matches!(step, Step::Cut(_)) {
                prop_assert!(present.pairs.is_subset(&last.pairs), "{:?} gives access", step);
            }
            last = present;
        }
        for at in (10..15).map(Timestamp::from_millis) {
            prop_assert_eq!(open(&last.pairs, at), open(&desired.pairs, at));
        }
        prop_assert_eq!(steps(&last, &desired, NOW), []);
        let sent = serde_json::to_string(&desired).unwrap();
        prop_assert_eq!(serde_json::from_str::<Elements>(&sent).unwrap(), desired);
    }
}
