//! Sequences of events and packets, against the naive reference.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use zt_core::backend::Backend as _;
use zt_core::controller::Controller;
use zt_core::event::{Entry, Event};
use zt_core::grant::Outcome;
use zt_core::id::{GatewayId, Generation, RequestId, SessionId};
use zt_core::plan::{Add, Plan, Step, plan};
use zt_core::testing::{Act, FakeBackend, Reference, Script, TableEngine, Verdict};
use zt_core::time::Timestamp;

use crate::admission::assert_prefixes_safe;
use crate::example::START;
use crate::naive::assert_peers_disjoint;

/// How many packets a script sent, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Packets that were let through.
    pub accepted: usize,
    /// Packets that were not.
    pub dropped: usize,
    /// Steps of all plans.
    pub steps: usize,
}

/// Takes `bytes` for a script (see [`Script`]), and plays it.
///
/// After each event every gateway's plan leads to its desired state, and each of its steps on the way is safe; each
/// packet is judged as the reference judges it; and the log, folded again from its JSON, gives the same outcomes.
pub fn body(bytes: &[u8]) {
    let _ = play(bytes);
}

/// Plays a script like [`body`], and counts.
pub fn play(bytes: &[u8]) -> Tally {
    let mut world = World::new();
    let mut script = Script::new(bytes, START);
    for event in script.beginning().unwrap_or_default() {
        world.handle(event);
        let refusal = world.log.last().map(|(_, outcome)| &outcome.refusal);
        assert_eq!(refusal, Some(&None), "a script begins with valid events");
    }
    while let Some(act) = script.next_act() {
        match act {
            Act::Event(event) => world.event(event, &mut script),
            Act::Pass(until) => world.pass(until),
            Act::Packet(number, packet) => {
                let Some((id, gateway)) = world.gateways.iter().nth(number) else { continue };
                let verdict = gateway.judge(&packet, world.now);
                assert_eq!(verdict, world.reference.judge(id, &packet, world.now), "{packet:?} at {id}");
                let count = match verdict {
                    Verdict::Accept => &mut world.tally.accepted,
                    Verdict::Drop => &mut world.tally.dropped,
                };
                *count = count.saturating_add(1);
            }
        }
    }
    world.replay();
    world.tally
}

/// A controller with its gateways, and the reference beside it.
struct World {
    controller: Controller<TableEngine>,
    reference: Reference,
    gateways: BTreeMap<GatewayId, FakeBackend>,
    now: Timestamp,
    log: Vec<(Entry, Outcome)>,
    tally: Tally,
}

impl World {
    fn new() -> Self {
        let gateways = ["gateway-0", "gateway-1", "gateway-2"].into_iter().filter_map(|name| {
            let gateway = FakeBackend::default();
            let steps = vec![Step::Add(Add::Gate(Timestamp::from_millis(i64::MAX)))];
            apply(&gateway, &Plan { generation: Generation::default(), now: START, steps });
            GatewayId::new(name).ok().map(|id| (id, gateway))
        });
        Self {
            controller: Controller::new(TableEngine::default()),
            reference: Reference::default(),
            gateways: gateways.collect(),
            now: START,
            log: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Folds an event in, and lets the script know of the session that it may start.
    fn event(&mut self, event: Event, script: &mut Script<'_>) {
        let request = RequestId(self.controller.next_seq().0);
        if matches!(event, Event::AccessRequested(_)) {
            script.note_request(request);
        }
        let started = self.handle(event).and_then(|id| self.controller.session(id));
        if let Some(session) = started
            && let Some(device) = self.controller.device(&session.device)
        {
            script.note_session(session, device.addresses);
        }
    }

    /// Lets time pass, with a tick at each deadline.
    fn pass(&mut self, until: Timestamp) {
        while let Some(deadline) = self.controller.next_deadline().filter(|deadline| deadline.at <= until) {
            self.now = deadline.at;
            self.handle(Event::Tick);
        }
        self.now = until;
    }

    /// Folds an event in, and brings every gateway to its desired state.
    fn handle(&mut self, event: Event) -> Option<SessionId> {
        let entry = Entry { seq: self.controller.next_seq(), at: self.now, event };
        let outcome = self.controller.handle(&entry);
        if outcome.refusal.is_none() {
            self.reference.accept(&entry.event, &outcome);
        }
        let started = outcome.started;
        if let Some(session) = started.and_then(|id| self.controller.session(id))
            && let Some(device) = self.controller.device(&session.device)
        {
            self.reference.set_addresses(&device.id, device.addresses);
        }
        for (id, gateway) in &self.gateways {
            let Some(desired) = self.controller.desired(id) else { continue };
            assert_peers_disjoint(&desired.elements().peers);
            let observed = gateway.installed();
            let plan_made = plan(&observed, &desired, self.now);
            let announced = outcome.gateways.contains_key(id);
            assert!(announced || plan_made.steps.is_empty(), "a change without a generation");
            assert_prefixes_safe(&observed, &desired, &plan_made);
            apply(gateway, &plan_made);
            assert_eq!(plan(&gateway.installed(), &desired, self.now).steps, [], "a plan that leaves steps");
            self.tally.steps = self.tally.steps.saturating_add(plan_made.steps.len());
        }
        self.log.push((entry, outcome));
        started
    }

    /// D2: the same log gives the same outcomes and the same desired states.
    fn replay(&self) {
        let mut replica = Controller::new(TableEngine::default());
        for (entry, outcome) in &self.log {
            let logged = serde_json::to_string(entry).unwrap_or_default();
            let read = serde_json::from_str::<Entry>(&logged).ok();
            assert_eq!(read.as_ref(), Some(entry), "an entry is read back otherwise");
            assert_eq!(replica.handle(entry), *outcome, "another outcome of {entry:?}");
        }
        for id in self.gateways.keys() {
            assert_eq!(replica.desired(id), self.controller.desired(id), "another state of {id}");
        }
    }
}

/// Applies a plan, which has to succeed.
pub(crate) fn apply(gateway: &FakeBackend, plan: &Plan) {
    let done = gateway.apply(plan).now_or_never();
    assert!(matches!(done, Some(Ok(()))), "{done:?} of {plan:?}");
}
