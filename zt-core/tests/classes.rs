//! Sessions that the policies cannot tell apart share decisions: that must not show, but in what is not decided.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test that fails says so by panicking"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use zt_core::controller::Controller;
use zt_core::decide::{
    ClassId, Decide, DecisionSink, Effect, PolicyError, PolicyIndex, PolicyVersion, Remedy, ResourceClasses,
    SessionFacts, Validity, View,
};
use zt_core::desired::DesiredState;
use zt_core::event::{Entry, Event, PolicySource};
use zt_core::id::{RequestId, SessionId};
use zt_core::lock::LockTarget;
use zt_core::site::Site;
use zt_core::testing::{Act, Script, TableEngine};
use zt_core::time::Timestamp;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// What an engine was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    View(SessionId, View),
    Affected(View, View, Vec<ClassId>),
    Decide(SessionId, Vec<ClassId>),
    /// So many classes, for a session with approved requests.
    DecideApproved(usize),
}

/// An engine that remembers what it was asked.
#[derive(Debug, Default)]
struct Recorder {
    engine: TableEngine,
    calls: RefCell<Vec<Call>>,
}

impl Decide for Recorder {
    fn load(&mut self, source: &PolicySource, site: &Site) -> Result<PolicyVersion, PolicyError> {
        self.engine.load(source, site)
    }

    fn classes(&self) -> &ResourceClasses {
        self.engine.classes()
    }

    fn view(&self, facts: &SessionFacts<'_>, view: &mut View) -> Validity {
        let valid = self.engine.view(facts, view);
        // What a session has beyond its class, by approvals, is its own affair.
        if facts.approved.is_empty() {
            self.calls.borrow_mut().push(Call::View(facts.session.id, view.clone()));
        }
        valid
    }

    fn affected(&self, before: &View, after: &View, classes: &mut Vec<ClassId>) {
        self.engine.affected(before, after, classes);
        self.calls.borrow_mut().push(Call::Affected(before.clone(), after.clone(), classes.clone()));
    }

    fn decide(&self, facts: &SessionFacts<'_>, classes: &[ClassId], sink: &mut dyn DecisionSink) {
        self.calls.borrow_mut().push(match facts.approved.is_empty() {
            true => Call::Decide(facts.session.id, classes.to_vec()),
            false => Call::DecideApproved(classes.len()),
        });
        self.engine.decide(facts, classes, sink);
    }

    fn remedies(&self, facts: &SessionFacts<'_>, class: ClassId) -> Vec<Remedy> {
        self.engine.remedies(facts, class)
    }

    fn policy_name(&self, policy: PolicyIndex) -> &str {
        self.engine.policy_name(policy)
    }
}

/// A controller, and the view by which each session was last looked at under the policies and the site in force.
struct World {
    controller: Controller<Recorder>,
    now: Timestamp,
    views: BTreeMap<SessionId, View>,
    /// How often a view was the session's own still, another session's, or new and decided in part.
    looks: [usize; 3],
}

impl World {
    fn handle(&mut self, event: Event) -> Option<SessionId> {
        self.controller.decider().calls.borrow_mut().clear();
        let entry = Entry { seq: self.controller.next_seq(), at: self.now, event };
        let locked = self.locked_resources();
        let outcome = self.controller.handle(&entry);
        let calls = self.controller.decider().calls.take();
        let loads = matches!(entry.event, Event::SiteLoaded(_) | Event::PolicyLoaded(_));
        if (loads && outcome.refusal.is_none()) || locked != self.locked_resources() {
            self.views.clear();
        }
        let controller = &self.controller;
        let site = controller.site().map(|site| site.resources()).unwrap_or_default();
        let is_locked = |session: &SessionId| {
            let explained = site.first().and_then(|any| controller.explain(*session, &any.id));
            let lock = explained.and_then(|explained| explained.lock);
            lock.is_some_and(|(target, _)| !matches!(target, LockTarget::Resource(_)))
        };
        self.views.retain(|session, _| !is_locked(session));
        self.views.retain(|session, _| !outcome.ended_sessions.contains_key(session));
        let for_classes: Vec<_> =
            calls.iter().filter(|call| !matches!(call, Call::DecideApproved(_))).cloned().collect();
        self.check_calls(&for_classes);
        let decided: usize = calls
            .iter()
            .map(|call| match call {
                Call::Decide(_, classes) => classes.len(),
                Call::DecideApproved(count) => *count,
                Call::View(..) | Call::Affected(..) => 0,
            })
            .sum();
        assert_eq!(outcome.decisions, u64::try_from(decided).unwrap());
        self.check_grants();
        outcome.started
    }

    fn locked_resources(&self) -> Vec<LockTarget> {
        let locks = self.controller.locks().map(|(target, _)| target);
        locks.filter(|target| matches!(target, LockTarget::Resource(_))).cloned().collect()
    }

    /// A view that some session has is not decided on; another one only where it differs from the session's last.
    fn check_calls(&mut self, calls: &[Call]) {
        let mut calls = calls.iter().peekable();
        while let Some(call) = calls.next() {
            let Call::View(session, view) = call else { panic!("{call:?} without a view") };
            let known = self.views.values().any(|other| other == view);
            let same = self.views.get(session) == Some(view);
            let before = self.views.insert(*session, view.clone());
            let mut due: Vec<_> =
                self.controller.decider().classes().iter().map(|(class, _)| class).collect();
            let all = due.len();
            if known {
                self.looks[usize::from(!same)] += 1;
                due.clear();
            } else if let Some(before) = before {
                due.clear();
                self.controller.decider().engine.affected(&before, view, &mut due);
                assert_eq!(calls.next(), Some(&Call::Affected(before, view.clone(), due.clone())));
                self.looks[2] += usize::from(due.len() < all);
            }
            if !due.is_empty() {
                assert_eq!(calls.next(), Some(&Call::Decide(*session, due)));
            }
        }
    }

    /// Every session is granted what it would be granted if it were the only one.
    fn check_grants(&self) {
        let Some(site) = self.controller.site() else { return };
        for session in self.controller.sessions() {
            let grants: BTreeMap<_, _> =
                self.controller.grants(session.id).map(|grant| (grant.resource.clone(), grant)).collect();
            for resource in site.resources() {
                let alone = self.controller.explain(session.id, &resource.id).unwrap();
                let grant = grants.get(&resource.id);
                assert_eq!(grant.is_some(), alone.effect == Effect::Allow, "{} {}", session.id, resource.id);
                if let Some(grant) = grant {
                    // A class is decided on as if nothing were approved; an approval may be one more cause.
                    let requested =
                        self.controller.requests().any(|(_, open)| open.request.resource == resource.id);
                    let causes = |cause| alone.because.contains(cause);
                    assert!(grant.because.iter().all(causes) && grant.version == alone.version);
                    assert!(requested || *grant.because == *alone.because);
                }
            }
            assert!(grants.keys().all(|id| site.resource_index(id).is_some()));
        }
        for gateway in site.gateways.keys() {
            let desired = self.controller.desired(gateway).unwrap();
            let sent = serde_json::to_string(&desired).unwrap();
            let received: DesiredState = serde_json::from_str(&sent).unwrap();
            assert_eq!(received, desired);
            assert_eq!(received.elements(), desired.elements());
        }
    }
}

fn run(bytes: &[u8]) -> World {
    let (views, controller) = (BTreeMap::new(), Controller::new(Recorder::default()));
    let mut world = World { controller, now: START, views, looks: [0; 3] };
    let mut script = Script::new(bytes, START);
    for event in script.beginning().unwrap() {
        world.handle(event);
    }
    while let Some(act) = script.next_act() {
        match act {
            Act::Event(event) => {
                let request = RequestId(world.controller.next_seq().0);
                if matches!(event, Event::AccessRequested(_)) {
                    script.note_request(request);
                }
                if let Some(session) = world.handle(event) {
                    let session = world.controller.session(session).unwrap();
                    let addresses = world.controller.device(&session.device).unwrap().addresses;
                    script.note_session(session, addresses);
                }
            }
            Act::Pass(until) => {
                while let Some(deadline) = world.controller.next_deadline().filter(|next| next.at <= until) {
                    world.now = deadline.at;
                    world.handle(Event::Tick);
                }
                world.now = until;
            }
            Act::Packet(..) => {}
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// P4: sharing decisions and making only those that a change affects equals deciding everything alone.
    #[test]
    fn inv_p4_shared_decisions_equal_own_ones(bytes in proptest::collection::vec(any::<u8>(), 200..3_000)) {
        let _world = run(&bytes);
    }
}

/// Sharing does happen in the scripts, or the comparison would mean nothing.
#[test]
fn scripts_share_decisions() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut looks = [0; 3];
    for _ in 0..50 {
        let bytes = proptest::collection::vec(any::<u8>(), 1_000..3_000);
        let world = run(&bytes.new_tree(&mut runner).unwrap().current());
        (0..3).for_each(|way| looks[way] += world.looks[way]);
    }
    assert!(looks.iter().all(|count| *count > 20), "{looks:?}");
}
