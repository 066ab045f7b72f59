//! Locks dominate every grant, and just-in-time access gives what was asked for, no more and no longer.

#![allow(
    unused_must_use,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails says so by panicking, and most outcomes are looked at in the state they lead to"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zt_core::access::AccessRequest;
use zt_core::controller::Controller;
use zt_core::decide::{DenyCause, Effect};
use zt_core::desired::PairEnd;
use zt_core::device::KeyBinding;
use zt_core::event::{Entry, Event, IdentityEvent, Login, PolicySource, SiteSource};
use zt_core::grant::{GrantScope, Outcome, Refusal};
use zt_core::id::{DeviceId, GatewayId, GroupId, Issuer, RequestId, ResourceId, SessionId};
use zt_core::identity::{Assurance, Mfa, Subject};
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::lock::{Lock, LockEnd, LockTarget};
use zt_core::net::Service;
use zt_core::session::EndReason;
use zt_core::testing::TableEngine;
use zt_core::time::Timestamp;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

const SITE: &str = r#"
[pools]
v4 = "10.99.0.0/24"
[[gateway]]
id = "gw"
group = "main"
endpoint = "127.0.0.1:0"
[[group]]
id = "staff"
claims = [{ issuer = "https://idp.example", value = "staff" }]
[[group]]
id = "sre"
claims = [{ issuer = "https://idp.example", value = "sre" }]
[[resource]]
id = "db"
gateways = "main"
addresses = ["10.100.0.1/32"]
services = ["tcp/22", "tcp/5432"]
approval = { by = ["sre"], count = 2, for = "1h" }
[[resource]]
id = "wiki"
gateways = "main"
addresses = ["10.100.0.2/32"]
services = ["tcp/443"]
"#;

struct World {
    controller: Controller<TableEngine>,
    now: Timestamp,
    log: Vec<Entry>,
}

impl World {
    /// Alice, a member of staff with a session; Bob, Carol and Dave, who may approve.
    fn new() -> (Self, SessionId) {
        let mut world =
            Self { controller: Controller::new(TableEngine::default()), now: START, log: Vec::new() };
        world.load_site(SITE);
        let table = "staff wiki\nstaff db approved\n".to_owned();
        let source = PolicySource { policies: [("t".to_owned(), table)].into(), ..PolicySource::default() };
        world.accept(Event::PolicyLoaded(source));
        for (name, claims) in [
            ("alice", vec!["staff"]),
            ("bob", vec!["sre"]),
            ("carol", vec!["sre"]),
            ("dave", vec!["sre", "staff"]),
        ] {
            let claims = claims.into_iter().map(str::to_owned).collect();
            world.accept(Event::IdentityObserved {
                subject: subject(name),
                claims,
                attributes: BTreeMap::new(),
            });
        }
        let session = world.login("alice", 1);
        (world, session)
    }

    fn load_site(&mut self, text: &str) {
        self.accept(Event::SiteLoaded(SiteSource { file: "site.toml".into(), text: text.to_owned() }));
    }

    fn login(&mut self, name: &str, seed: u8) -> SessionId {
        let device = DeviceId::new(&format!("{name}-laptop")).unwrap();
        self.accept(Event::DeviceEnrolled {
            device: device.clone(),
            owner: subject(name),
            key: KeyBinding::AtLogin,
        });
        let login = Login {
            subject: subject(name),
            device,
            public_key: key(seed),
            assurance: Assurance { authenticated_at: self.now, mfa: Mfa::Absent, acr: "".into() },
            ends_at: self.now.after(Duration::from_hours(2)),
        };
        self.accept(Event::SessionStarted(login)).started.unwrap()
    }

    fn handle(&mut self, event: Event) -> Outcome {
        let entry = Entry { seq: self.controller.next_seq(), at: self.now, event };
        let outcome = self.controller.handle(&entry);
        self.log.push(entry);
        outcome
    }

    fn accept(&mut self, event: Event) -> Outcome {
        let outcome = self.handle(event);
        assert_eq!(outcome.refusal, None);
        outcome
    }

    fn refuse(&mut self, event: Event) -> Refusal {
        let outcome = self.handle(event);
        assert!(outcome.issued.is_empty() && outcome.ended.is_empty() && outcome.gateways.is_empty());
        outcome.refusal.unwrap()
    }

    fn pass(&mut self, span: Duration) -> Outcome {
        self.now = self.now.after(span);
        self.handle(Event::Tick)
    }

    fn lock(&mut self, target: &LockTarget, end: LockEnd) -> Outcome {
        self.accept(Event::Locked { target: target.clone(), lock: Lock { reason: "stolen".into(), end } })
    }

    fn granted(&self, session: SessionId) -> Vec<String> {
        self.controller.grants(session).map(|grant| grant.resource.to_string()).collect()
    }

    /// What the gateway lets the only session reach, and until when.
    fn pairs(&self) -> Vec<PairEnd> {
        let desired = self.controller.desired(&GatewayId::new("gw").unwrap()).unwrap();
        desired.elements().pairs.iter().map(|(_, end)| end).collect()
    }

    fn request(&mut self, minutes: u64) -> RequestId {
        RequestId(self.accept(Event::AccessRequested(request(self.now, minutes))).seq.0)
    }

    fn approve(&mut self, request: RequestId, name: &str) -> Outcome {
        self.accept(Event::AccessApproved { request, approver: subject(name) })
    }

    /// The same log, folded again, comes to the same.
    fn replayed(&self) -> Controller<TableEngine> {
        let mut replica = Controller::new(TableEngine::default());
        for entry in &self.log {
            let text = serde_json::to_string(entry).unwrap();
            let _outcome = replica.handle(&serde_json::from_str(&text).unwrap());
        }
        replica
    }
}

fn subject(name: &str) -> Subject {
    Subject::new(Issuer::new("https://idp.example").unwrap(), name).unwrap()
}

fn key(seed: u8) -> PublicKey {
    PrivateKey::from_bytes([seed; 32]).public_key()
}

fn resource(id: &str) -> ResourceId {
    ResourceId::new(id).unwrap()
}

fn request(now: Timestamp, minutes: u64) -> AccessRequest {
    AccessRequest {
        subject: subject("alice"),
        resource: resource("db"),
        services: ["tcp/5432".parse::<Service>().unwrap()].into(),
        reason: "incident 7".into(),
        ends_at: now.after(Duration::from_mins(minutes)),
    }
}

fn targets() -> [LockTarget; 4] {
    [
        LockTarget::User(subject("alice")),
        LockTarget::Device(DeviceId::new("alice-laptop").unwrap()),
        LockTarget::Group(GroupId::new("staff").unwrap()),
        LockTarget::Key(key(1)),
    ]
}

#[test]
fn inv_s_a_lock_ends_every_grant_and_gives_them_back_when_lifted() {
    for target in targets() {
        let (mut world, session) = World::new();
        let other = world.login("dave", 2);
        assert_eq!(world.granted(session), ["wiki"], "the control");
        let outcome = world.lock(&target, LockEnd::WhenLifted);
        assert_eq!(
            outcome.ended,
            [((session, resource("wiki")), EndReason::Revoke)]
                .into_iter()
                .chain(
                    matches!(target, LockTarget::Group(_))
                        .then(|| ((other, resource("wiki")), EndReason::Revoke))
                )
                .collect(),
            "{target}"
        );
        assert_eq!(outcome.gateways.len(), 1);
        assert!(world.granted(session).is_empty());
        let explained = world.controller.explain(session, &resource("wiki")).unwrap();
        assert_eq!(explained.effect, Effect::Deny(DenyCause::Locked));
        assert_eq!(explained.lock.unwrap().0, target);
        assert!(world.controller.session(session).is_some(), "the session lives");
        let outcome = world.accept(Event::Unlocked { target: target.clone() });
        assert!(outcome.issued.iter().any(|grant| grant.session == session), "{target}");
        assert_eq!(world.granted(session), ["wiki"]);
        assert_eq!(world.refuse(Event::Unlocked { target: target.clone() }), Refusal::NotLocked(target));
    }
}

#[test]
fn inv_s_a_lock_dominates_logins_reports_policies_sites_and_approvals() {
    for target in targets() {
        let (mut world, session) = World::new();
        let id = world.request(30);
        world.lock(&target, LockEnd::WhenLifted);
        world.approve(id, "bob");
        world.approve(id, "carol");
        assert!(world.granted(session).is_empty(), "{target}: an approval");
        world.load_site(SITE);
        assert!(world.granted(session).is_empty(), "{target}: a site");
        let again = world.login("alice", 1);
        assert!(world.granted(again).is_empty(), "{target}: a login");
        let replica = world.replayed();
        assert_eq!(replica.locks().count(), 1, "a lock survives the replay of the log");
        assert_eq!(replica.grants(again).count(), 0);
        world.accept(Event::Unlocked { target });
        assert_eq!(world.granted(again), ["db", "wiki"]);
    }
}

#[test]
fn a_locked_resource_is_granted_to_nobody_and_the_others_stay() {
    let (mut world, session) = World::new();
    let id = world.request(30);
    world.approve(id, "bob");
    world.approve(id, "carol");
    assert_eq!(world.granted(session), ["db", "wiki"]);
    for (locked, left) in [("db", "wiki"), ("wiki", "db")] {
        let target = LockTarget::Resource(resource(locked));
        let outcome = world.lock(&target, LockEnd::WhenLifted);
        assert_eq!(outcome.ended, [((session, resource(locked)), EndReason::Revoke)].into());
        assert_eq!(world.granted(session), [left]);
        world.accept(Event::Unlocked { target });
        assert_eq!(world.granted(session), ["db", "wiki"]);
    }
}

#[test]
fn a_lock_may_end_by_itself_at_its_very_millisecond() {
    let (mut world, session) = World::new();
    let target = LockTarget::User(subject("alice"));
    let end = world.now.after(Duration::from_secs(10));
    world.lock(&target, LockEnd::At(end));
    assert_eq!(world.controller.next_deadline().unwrap().at, end);
    world.pass(Duration::from_millis(9_999));
    assert!(world.granted(session).is_empty());
    let outcome = world.pass(Duration::from_millis(1));
    assert_eq!(outcome.issued.len(), 1);
    assert_eq!(world.granted(session), ["wiki"]);
    world.lock(&target, LockEnd::At(world.now.after(Duration::from_secs(1))));
    world.lock(&target, LockEnd::WhenLifted);
    world.pass(Duration::from_secs(60));
    assert!(world.granted(session).is_empty(), "the later lock took the place of the earlier one");
}

#[test]
fn locks_that_make_no_sense_are_refused() {
    let (mut world, _) = World::new();
    let target = LockTarget::User(subject("alice"));
    let lock = |reason: &str, end| Event::Locked {
        target: target.clone(),
        lock: Lock { reason: reason.into(), end },
    };
    for reason in ["", "a\u{1b}[2J", &"x".repeat(1_025)] {
        assert_eq!(world.refuse(lock(reason, LockEnd::WhenLifted)), Refusal::Reason);
    }
    assert_eq!(world.refuse(lock("late", LockEnd::At(START))), Refusal::Over(START));
    assert_eq!(world.controller.locks().count(), 0);
}

#[test]
fn access_comes_with_the_last_approval_for_the_services_asked_for_and_ends_by_itself() {
    let (mut world, session) = World::new();
    let id = world.request(30);
    assert!(world.approve(id, "bob").issued.is_empty(), "one of two");
    assert!(world.approve(id, "bob").issued.is_empty(), "the same person counts once");
    let outcome = world.approve(id, "carol");
    let ends_at = START.after(Duration::from_mins(30));
    let services = ["tcp/5432".parse::<Service>().unwrap()].into();
    assert_eq!(outcome.issued[0].scope, GrantScope::Requested { request: id, services, ends_at });
    assert_eq!(world.granted(session), ["db", "wiki"]);
    assert_eq!(
        world.pairs().iter().filter(|end| **end == PairEnd::At(ends_at)).count(),
        1,
        "one service of two"
    );
    assert_eq!(world.pairs().len(), 2);
    assert_eq!(world.controller.explain(session, &resource("db")).unwrap().effect, Effect::Allow);
    assert_eq!(world.pass(Duration::from_mins(29)).decisions, 0);
    let outcome = world.pass(Duration::from_mins(1));
    assert_eq!(outcome.ended, [((session, resource("db")), EndReason::Expire)].into());
    assert_eq!(world.pairs(), [PairEnd::WithSource]);
    assert_eq!(world.controller.requests().count(), 0);
}

#[test]
fn access_ends_at_once_when_the_request_is_taken_back_or_the_site_changes_its_mind() {
    let (mut world, session) = World::new();
    let id = world.request(30);
    world.approve(id, "bob");
    world.approve(id, "carol");
    let outcome = world.accept(Event::AccessEnded { request: id });
    assert_eq!(outcome.ended, [((session, resource("db")), EndReason::Revoke)].into());
    assert_eq!(world.refuse(Event::AccessEnded { request: id }), Refusal::UnknownRequest(id));

    let id = world.request(30);
    world.approve(id, "bob");
    world.approve(id, "carol");
    for changed in [SITE.replace("count = 2", "count = 3"), SITE.replace("\"tcp/5432\"", "\"tcp/5433\"")] {
        world.load_site(&changed);
        assert_eq!(world.granted(session), ["wiki"]);
        world.load_site(SITE);
        assert_eq!(world.granted(session), ["db", "wiki"]);
    }
    let outcome = world.accept(Event::SessionEnded { session });
    assert_eq!(outcome.ended.keys().map(|(_, id)| id.to_string()).collect::<Vec<_>>(), ["db", "wiki"]);
    assert!(world.pairs().is_empty());
    let again = world.login("alice", 1);
    assert_eq!(world.granted(again), ["db", "wiki"], "an approval is about the person");
}

#[test]
fn revoked_people_lose_their_requests_and_disabled_ones_their_approvals() {
    let (mut world, _) = World::new();
    let id = world.request(30);
    world.accept(Event::Identity(IdentityEvent::SessionRevoked { subject: subject("alice") }));
    assert_eq!(world.refuse(Event::AccessEnded { request: id }), Refusal::UnknownRequest(id));
    let session = world.login("alice", 1);
    let id = world.request(30);
    world.approve(id, "bob");
    world.approve(id, "carol");
    assert_eq!(world.granted(session), ["db", "wiki"]);
    let outcome = world.accept(Event::Identity(IdentityEvent::AccountDisabled { subject: subject("bob") }));
    assert_eq!(outcome.ended, [((session, resource("db")), EndReason::Revoke)].into());
    world.approve(id, "dave");
    assert_eq!(world.granted(session), ["db", "wiki"], "another approver takes their place");
}

#[test]
fn requests_that_may_not_be_are_refused() {
    let (mut world, _) = World::new();
    let good = request(START, 30);
    let with = |change: &dyn Fn(&mut AccessRequest)| {
        let mut request = good.clone();
        change(&mut request);
        Event::AccessRequested(request)
    };
    let service: Service = "tcp/23".parse().unwrap();
    let (db, late) = (resource("db"), START.after(Duration::from_mins(61)));
    let cases: [(Event, Refusal); 8] = [
        (with(&|request| request.resource = resource("wiki")), Refusal::NotRequestable(resource("wiki"))),
        (with(&|request| request.resource = resource("none")), Refusal::NotRequestable(resource("none"))),
        (with(&|request| request.subject = subject("eve")), Refusal::UnknownSubject(subject("eve"))),
        (with(&|request| request.services = BTreeSet::new()), Refusal::NoServices(db.clone())),
        (
            with(&|request| request.services = [service].into()),
            Refusal::NoSuchService { resource: db.clone(), service },
        ),
        (with(&|request| request.reason = "\n".into()), Refusal::Reason),
        (with(&|request| request.ends_at = START), Refusal::Over(START)),
        (with(&|request| request.ends_at = late), Refusal::Over(late)),
    ];
    for (event, refusal) in cases {
        assert_eq!(world.refuse(event), refusal);
    }
    let id = world.request(30);
    assert_eq!(world.refuse(Event::AccessRequested(good)), Refusal::AlreadyRequested(db));
    for (name, refusal) in [
        ("alice", Refusal::NotAnApprover(subject("alice"))),
        ("eve", Refusal::UnknownSubject(subject("eve"))),
    ] {
        assert_eq!(world.refuse(Event::AccessApproved { request: id, approver: subject(name) }), refusal);
    }
}

#[test]
fn locked_people_approve_nothing() {
    let (mut world, _) = World::new();
    let id = world.request(30);
    for target in [LockTarget::User(subject("bob")), LockTarget::Group(GroupId::new("sre").unwrap())] {
        world.lock(&target, LockEnd::WhenLifted);
        let refusal = world.refuse(Event::AccessApproved { request: id, approver: subject("bob") });
        assert_eq!(refusal, Refusal::NotAnApprover(subject("bob")), "{target}");
        world.accept(Event::Unlocked { target });
    }
    world.approve(id, "bob");
}

#[test]
fn nobody_approves_their_own_request() {
    let (mut world, _) = World::new();
    let session = world.login("dave", 2);
    let own = AccessRequest { subject: subject("dave"), ..request(START, 30) };
    let id = RequestId(world.accept(Event::AccessRequested(own)).seq.0);
    let refusal = world.refuse(Event::AccessApproved { request: id, approver: subject("dave") });
    assert_eq!(refusal, Refusal::NotAnApprover(subject("dave")));
    world.approve(id, "bob");
    assert_eq!(world.granted(session), ["wiki"]);
    world.approve(id, "carol");
    assert_eq!(world.granted(session), ["db", "wiki"], "the control");
}
