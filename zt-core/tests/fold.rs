//! The fold, its plans and its artefacts against the naive reference, over scripts made from bytes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails says so by panicking"
)]

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use zt_core::backend::Backend;
use zt_core::controller::Controller;
use zt_core::desired::Peer;
use zt_core::event::{Entry, Event};
use zt_core::grant::{GrantScope, Outcome};
use zt_core::id::{GatewayId, Generation, RequestId, SessionId};
use zt_core::key::PublicKey;
use zt_core::plan::{Add, Gate, ObservedState, Plan, Step, plan};
use zt_core::testing::{Act, FakeBackend, Reference, Script, TableEngine, Verdict};
use zt_core::time::Timestamp;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A controller with its gateways and the reference beside it.
struct World {
    controller: Controller<TableEngine>,
    reference: Reference,
    gateways: BTreeMap<GatewayId, FakeBackend>,
    now: Timestamp,
    log: Vec<Entry>,
    outcomes: Vec<Outcome>,
}

impl World {
    fn new() -> Self {
        let gateways = (0..3).map(|number| {
            let gateway = FakeBackend::default();
            let open = Step::Add(Add::Gate(Timestamp::from_millis(i64::MAX)));
            apply(&gateway, &Plan { generation: Generation::default(), now: START, steps: vec![open] });
            (GatewayId::new(&format!("gateway-{number}")).unwrap(), gateway)
        });
        Self {
            controller: Controller::new(TableEngine::default()),
            reference: Reference::default(),
            gateways: gateways.collect(),
            now: START,
            log: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// Folds an event in and brings every gateway to its desired state.
    fn handle(&mut self, event: Event) -> Option<SessionId> {
        let entry = Entry { seq: self.controller.next_seq(), at: self.now, event };
        let outcome = self.controller.handle(&entry);
        if outcome.refusal.is_none() {
            self.reference.accept(&entry.event, &outcome);
        }
        if let Some(session) = outcome.started {
            let device = &self.controller.session(session).unwrap().device;
            self.reference.set_addresses(device, self.controller.device(device).unwrap().addresses);
        }
        for (id, gateway) in &self.gateways {
            let Some(desired) = self.controller.desired(id) else { continue };
            let observed = gateway.installed();
            let steps = plan(&observed, &desired, self.now);
            assert_disjoint(&desired.elements().peers);
            assert!(
                outcome.gateways.contains_key(id) || steps.steps.is_empty(),
                "a change without a generation"
            );
            assert_prefixes_safe(&observed, &steps);
            apply(gateway, &steps);
            let left = plan(&gateway.installed(), &desired, self.now);
            assert_eq!(left.steps, [], "a plan that was applied leaves nothing to do");
        }
        let started = outcome.started;
        self.log.push(entry);
        self.outcomes.push(outcome);
        started
    }
}

fn apply(gateway: &FakeBackend, plan: &Plan) {
    gateway.apply(plan).now_or_never().unwrap().unwrap();
}

/// G1: no two peers share a source address.
fn assert_disjoint(peers: &BTreeMap<PublicKey, Peer>) {
    let all: Vec<_> = peers.values().flat_map(|peer| peer.allowed_ips.iter()).collect();
    for (place, one) in all.iter().enumerate() {
        assert!(all[place + 1..].iter().all(|two| !one.overlaps(two)), "{one} has two owners");
    }
}

/// G2: cuts come first and only take away, so that any prefix lets through only what the observed or the desired state
/// lets through; every step changes something.
fn assert_prefixes_safe(observed: &ObservedState, steps: &Plan) {
    let order = |step: &Step| match step {
        Step::Cut(_) => 0,
        Step::Add(_) => 1,
        Step::Destroy(_) => 2,
    };
    assert!(steps.steps.is_sorted_by_key(order), "removals come first: {steps:?}");
    let scratch = FakeBackend::default();
    apply(&scratch, &Plan { steps: install(observed), ..steps.clone() });
    assert_eq!(scratch.installed(), *observed);
    let mut before = observed.clone();
    for step in &steps.steps {
        apply(&scratch, &Plan { steps: vec![step.clone()], ..steps.clone() });
        let after = scratch.installed();
        assert_disjoint(&after.elements.peers);
        assert_ne!(before, after, "{step:?} changes nothing");
        if let Step::Cut(_) = step {
            let (old, new) = (&before.elements, &after.elements);
            assert!(new.pairs.is_subset(&old.pairs) && new.cells.len() <= old.cells.len());
            assert!(
                new.sources
                    .iter()
                    .all(|(at, new)| old.sources.get(at).is_some_and(|old| new.until <= old.until))
            );
        }
        before = after;
    }
}

/// The steps that build a state from nothing.
fn install(state: &ObservedState) -> Vec<Step> {
    let elements = &state.elements;
    let peers = elements.peers.iter().flat_map(|(key, peer)| {
        let ips = peer.allowed_ips.iter().map(|prefix| Step::Add(Add::AllowedIp(*key, *prefix)));
        [Step::Add(Add::Peer(*key))].into_iter().chain(ips)
    });
    let cells = elements.cells.iter().map(|(cell, region)| Step::Add(Add::Cell(*cell, *region)));
    let pairs = elements.pairs.iter().map(|(pair, end)| Step::Add(Add::Pair(pair, end)));
    let sources = elements.sources.iter().map(|(address, source)| Step::Add(Add::Source(*address, *source)));
    let gate = match state.gate {
        Gate::Closed => None,
        Gate::OpenUntil(until) => Some(Step::Add(Add::Gate(until))),
    };
    peers.chain(cells).chain(pairs).chain(sources).chain(gate).collect()
}

/// Runs a script; returns how many packets were accepted and how many dropped.
fn run(bytes: &[u8]) -> (World, usize, usize) {
    let mut world = World::new();
    let mut script = Script::new(bytes, START);
    for event in script.beginning().unwrap() {
        world.handle(event);
        assert_eq!(world.outcomes.last().unwrap().refusal, None, "a script begins with valid events");
    }
    let (mut accepted, mut dropped) = (0, 0);
    while let Some(act) = script.next_act() {
        match act {
            Act::Event(event) => {
                let is_request = matches!(event, Event::AccessRequested(_));
                if let Some(session) = world.handle(event) {
                    let session = world.controller.session(session).unwrap();
                    let addresses = world.controller.device(&session.device).unwrap().addresses;
                    script.note_session(session, addresses);
                }
                let made = world.outcomes.last().filter(|outcome| is_request && outcome.refusal.is_none());
                made.into_iter().for_each(|outcome| script.note_request(RequestId(outcome.seq.0)));
            }
            Act::Pass(until) => {
                while let Some(deadline) =
                    world.controller.next_deadline().filter(|deadline| deadline.at <= until)
                {
                    world.now = deadline.at;
                    world.handle(Event::Tick);
                }
                world.now = until;
            }
            Act::Packet(number, packet) => {
                let (id, gateway) = world.gateways.iter().nth(number).unwrap();
                let verdict = gateway.judge(&packet, world.now);
                let expected = world.reference.judge(id, &packet, world.now);
                assert_eq!(verdict, expected, "{packet:?} at {id}");
                match verdict {
                    Verdict::Accept => accepted += 1,
                    Verdict::Drop => dropped += 1,
                }
            }
        }
    }
    (world, accepted, dropped)
}

fn scripts() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 200..3_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What gateways let through equals what the reference lets through, whatever happens in between.
    #[test]
    fn inv_p1_artefacts_equal_reference(bytes in scripts()) {
        let _ = run(&bytes);
    }

    /// The same log gives the same outcomes and the same desired states, byte for byte.
    #[test]
    fn inv_d2_replay_is_byte_identical(bytes in scripts()) {
        let (world, _, _) = run(&bytes);
        let mut replica = Controller::new(TableEngine::default());
        let outcomes: Vec<_> = world.log.iter().map(|entry| {
            let logged = serde_json::to_string(entry).unwrap();
            replica.handle(&serde_json::from_str(&logged).unwrap())
        }).collect();
        prop_assert_eq!(format!("{outcomes:?}"), format!("{:?}", world.outcomes));
        for id in world.gateways.keys() {
            let states = [&world.controller, &replica].map(|one| serde_json::to_string(&one.desired(id)).unwrap());
            prop_assert_eq!(&states[0], &states[1]);
        }
    }

    /// From any installed state, plan then apply gives the desired one, whichever step fails on the way.
    #[test]
    fn inv_d5_failed_step_leaves_nothing_foreign(bytes in scripts(), other in scripts(), fail_at in 0_usize..40) {
        let (from, _, _) = run(&bytes);
        let (to, _, _) = run(&other);
        for (id, gateway) in &from.gateways {
            let (observed, desired) = (gateway.installed(), to.controller.desired(id).unwrap());
            let steps = plan(&observed, &desired, to.now);
            assert_prefixes_safe(&observed, &steps);
            gateway.fail_after(fail_at);
            let failed = gateway.apply(&steps).now_or_never().unwrap().is_err();
            prop_assert_eq!(failed, fail_at < steps.steps.len());
            gateway.fail_after(usize::MAX);
            let rest = plan(&gateway.installed(), &desired, to.now);
            apply(gateway, &rest);
            prop_assert_eq!(plan(&gateway.installed(), &desired, to.now).steps, []);
        }
    }
}

/// The scripts do reach both verdicts often, and locks and approvals that matter, or the comparison would mean nothing.
#[test]
fn scripts_reach_both_verdicts() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut accepted, mut dropped, mut narrowed, mut locked) = (0, 0, 0, 0);
    for _ in 0..150 {
        let bytes = scripts().new_tree(&mut runner).unwrap().current();
        let (world, yes, no) = run(&bytes);
        let issued = world.outcomes.iter().flat_map(|outcome| &outcome.issued);
        narrowed += issued.filter(|grant| grant.scope != GrantScope::Whole).count();
        let events = world.log.iter().zip(&world.outcomes);
        let locks = events.filter(|(entry, _)| matches!(entry.event, Event::Locked { .. }));
        locked += locks.filter(|(_, outcome)| !outcome.ended.is_empty()).count();
        accepted += yes;
        dropped += no;
    }
    assert!(accepted > 300 && dropped > 300, "{accepted} accepted, {dropped} dropped");
    assert!(narrowed > 10 && locked > 10, "{narrowed} grants by approval, {locked} locks that ended grants");
}
