//! The example site over virtual time: access ends at the very instant at which its reason ends.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test that fails says so by panicking"
)]

use std::time::Duration;

use zt_core::access::AccessRequest;
use zt_core::controller::Controller;
use zt_core::decide::{Need, Remedy};
use zt_core::device::{FactStatus, FactValue, PostureFact, Tier};
use zt_core::directory::Directory;
use zt_core::event::{Entry, Event, IdentityEvent, Login};
use zt_core::grant::Outcome;
use zt_core::id::{DeviceId, FactName, RequestId, ResourceId, SessionId};
use zt_core::identity::{Assurance, Mfa};
use zt_core::key::PrivateKey;
use zt_core::session::EndReason;
use zt_core::site::Site;
use zt_core::time::Timestamp;
use zt_examples::site_files::SiteFiles;
use zt_policy::PolicyEngine;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// Friday, 2026-11-20, 12:00 in Berlin.
const FRIDAY_NOON: Timestamp = Timestamp::from_millis(1_795_172_400_000);

struct World {
    controller: Controller<PolicyEngine>,
    directory: Directory,
    now: Timestamp,
}

impl World {
    fn new(now: Timestamp) -> Self {
        let files = SiteFiles::embedded();
        let site = Site::parse(&files.site).unwrap();
        let directory = Directory::parse(&files.directory.0, &files.directory.1, &site).unwrap();
        let mut world = Self { controller: Controller::new(PolicyEngine::new()), directory, now };
        let loaded = [Event::SiteLoaded(files.site), Event::PolicyLoaded(files.policy)];
        for event in loaded.into_iter().chain(world.directory.events()) {
            assert_eq!(world.handle(event).refusal, None);
        }
        world
    }

    fn handle(&mut self, event: Event) -> Outcome {
        let seq = self.controller.next_seq();
        self.controller.handle(&Entry { seq, at: self.now, event })
    }

    /// Moves on to `until`, with a tick at each deadline on the way; what ended, and when.
    fn pass(&mut self, until: Timestamp) -> Vec<(Timestamp, String, EndReason)> {
        let mut ended = Vec::new();
        while let Some(deadline) = self.controller.next_deadline().filter(|deadline| deadline.at <= until) {
            self.now = deadline.at;
            let outcome = self.handle(Event::Tick);
            let grants = outcome.ended.into_iter();
            ended.extend(grants.map(|((_, resource), reason)| (deadline.at, resource.to_string(), reason)));
        }
        self.now = until;
        ended
    }

    fn log_in(&mut self, name: &str, span: Duration) -> SessionId {
        let subject = self.directory.user(name).unwrap().subject.clone();
        let device = device(name);
        let byte = name.bytes().fold(1_u8, u8::wrapping_add);
        let login = Login {
            subject,
            device,
            public_key: PrivateKey::from_bytes([byte; 32]).public_key(),
            assurance: Assurance { authenticated_at: self.now, mfa: Mfa::At(self.now), acr: "".into() },
            ends_at: self.now.after(span),
        };
        let outcome = self.handle(Event::SessionStarted(login));
        assert_eq!(outcome.refusal, None);
        outcome.started.unwrap()
    }

    fn report(&mut self, name: &str, fact: &str, passes: bool) -> Outcome {
        let status = if passes { FactStatus::Pass } else { FactStatus::Fail };
        let fact = PostureFact {
            name: FactName::new(fact).unwrap(),
            status,
            value: FactValue::Bool(passes),
            source: "test".into(),
            tier: Tier::SelfAsserted,
            observed_at: self.now,
        };
        self.handle(Event::PostureReported { device: device(name), facts: vec![fact] })
    }

    fn grants(&self, session: SessionId) -> Vec<String> {
        self.controller.grants(session).map(|grant| grant.resource.to_string()).collect()
    }
}

fn device(name: &str) -> DeviceId {
    DeviceId::new(&format!("{name}-laptop")).unwrap()
}

/// Keeps a device healthy by a report every ten minutes until `until`; what ended meanwhile.
fn healthy(world: &mut World, name: &str, until: Timestamp) -> Vec<(Timestamp, String, EndReason)> {
    let mut ended = Vec::new();
    loop {
        for fact in ["edr_running", "disk_encrypted"] {
            let _outcome = world.report(name, fact, true);
        }
        let next = world.now.after(10 * MINUTE).min(until);
        ended.extend(world.pass(next));
        if next == until {
            return ended;
        }
    }
}

/// The window of the contractors closes at 19:00 in Berlin, and what it gave ends then.
#[test]
fn window_closes_to_the_millisecond() {
    let mut world = World::new(FRIDAY_NOON);
    let casey = world.log_in("casey", 10 * HOUR);
    let ended = healthy(&mut world, "casey", FRIDAY_NOON.after(7 * HOUR - Duration::from_millis(1)));
    assert_eq!(ended, []);
    assert_eq!(world.grants(casey), ["remediation", "tickets"]);
    let closing = FRIDAY_NOON.after(7 * HOUR);
    let ended = healthy(&mut world, "casey", closing);
    assert_eq!(ended, [(closing, "tickets".to_owned(), EndReason::Expire)]);
    assert_eq!(world.grants(casey), ["remediation"]);
}

/// A second factor of a contractor is good for eight hours; the instant is exact, and nothing polls for it.
#[test]
fn second_factor_grows_old() {
    let morning = Timestamp::from_millis(FRIDAY_NOON.as_millis() - 5 * 3_600_000 + 60_000);
    let mut world = World::new(morning);
    let casey = world.log_in("casey", 11 * HOUR);
    let ended = healthy(&mut world, "casey", morning.after(9 * HOUR));
    let [(at, resource, reason)] = &ended[..] else { panic!("{ended:?}") };
    assert_eq!((resource.as_str(), *reason), ("tickets", EndReason::Expire));
    assert!(
        [morning.after(8 * HOUR), morning.after(8 * HOUR + Duration::from_millis(1))].contains(at),
        "{at}"
    );
    assert_eq!(world.grants(casey), ["remediation"]);
}

/// A fact that nobody renews is unknown from its greatest age on: the quarantine closes.
#[test]
fn stale_fact_quarantines() {
    let mut world = World::new(FRIDAY_NOON);
    let dana = world.log_in("dana", 10 * HOUR);
    assert_eq!(world.grants(dana), ["remediation"], "nothing was reported yet");
    let _outcome = world.report("dana", "edr_running", true);
    assert_eq!(world.grants(dana), ["remediation", "staging-k8s", "wiki"]);
    let stale = FRIDAY_NOON.after(15 * MINUTE);
    let ended = world.pass(stale);
    let expected = ["staging-k8s", "wiki"].map(|resource| (stale, resource.to_owned(), EndReason::Expire));
    assert_eq!(ended, expected);
    assert_eq!(world.grants(dana), ["remediation"]);
}

/// Production asks for step-up: an ordinary second factor does not do, and step-up is good for a quarter of an hour.
#[test]
fn step_up_opens_production_for_a_while() {
    let mut world = World::new(FRIDAY_NOON);
    let olga = world.log_in("olga", 10 * HOUR);
    let _outcome = world.report("olga", "edr_running", true);
    assert!(!world.grants(olga).contains(&"production-db".to_owned()));
    let subject = world.directory.user("olga").unwrap().subject.clone();
    let login = Login {
        subject,
        device: device("olga"),
        public_key: PrivateKey::from_bytes([77; 32]).public_key(),
        assurance: Assurance {
            authenticated_at: world.now,
            mfa: Mfa::At(world.now),
            acr: "urn:zt:acr:step-up".into(),
        },
        ends_at: world.now.after(HOUR),
    };
    let outcome = world.handle(Event::SessionStarted(login));
    let stepped_up = outcome.started.unwrap();
    assert_eq!(outcome.ended_sessions, [(olga, EndReason::Revoke)].into(), "a device has one session");
    assert!(world.grants(stepped_up).contains(&"production-db".to_owned()));
    let ended = healthy(&mut world, "olga", FRIDAY_NOON.after(16 * MINUTE));
    let [(at, resource, reason)] = &ended[..] else { panic!("{ended:?}") };
    assert_eq!((resource.as_str(), *reason), ("production-db", EndReason::Expire));
    assert!(at.since(FRIDAY_NOON.after(15 * MINUTE)) <= Duration::from_millis(1));
}

/// Production for a developer: a request that two people approve, and step-up; what is missing is told, and access ends
/// with the first of the two.
#[test]
fn an_approved_request_opens_production_for_a_developer_for_a_while() {
    let mut world = World::new(FRIDAY_NOON);
    let subject = |world: &World, name: &str| world.directory.user(name).unwrap().subject.clone();
    let dana = subject(&world, "dana");
    let assurance =
        Assurance { authenticated_at: world.now, mfa: Mfa::At(world.now), acr: "urn:zt:acr:step-up".into() };
    let login = Login {
        subject: dana.clone(),
        device: device("dana"),
        public_key: PrivateKey::from_bytes([78; 32]).public_key(),
        assurance,
        ends_at: world.now.after(8 * HOUR),
    };
    let session = world.handle(Event::SessionStarted(login)).started.unwrap();
    let _outcome = world.report("dana", "edr_running", true);
    let resource = ResourceId::new("production-db").unwrap();
    let missing = world.controller.explain(session, &resource).unwrap().remedies;
    assert_eq!(missing, [Remedy { needs: [Need::Approval].into() }]);

    let services = ["tcp/5432".parse().unwrap()].into();
    let (reason, ends_at) = ("incident 7".to_owned(), world.now.after(5 * MINUTE));
    let request = AccessRequest { subject: dana, resource: resource.clone(), services, reason, ends_at };
    let request = RequestId(world.handle(Event::AccessRequested(request)).seq.0);
    for (name, issued) in [("oscar", 0), ("olga", 1)] {
        let approver = subject(&world, name);
        let outcome = world.handle(Event::AccessApproved { request, approver });
        assert_eq!((outcome.refusal, outcome.issued.len()), (None, issued), "{name}");
    }
    assert!(world.grants(session).contains(&"production-db".to_owned()));
    let ended = world.pass(FRIDAY_NOON.after(6 * MINUTE));
    assert_eq!(ended, [(ends_at, "production-db".to_owned(), EndReason::Expire)]);
}

/// S1: a disabled account has nothing left, and gets nothing until it is enabled again.
#[test]
fn inv_s1_disabled_account_has_nothing() {
    let mut world = World::new(FRIDAY_NOON);
    let dana = world.log_in("dana", 10 * HOUR);
    let subject = world.directory.user("dana").unwrap().subject.clone();
    let outcome = world.handle(Event::Identity(IdentityEvent::AccountDisabled { subject: subject.clone() }));
    assert_eq!(outcome.ended_sessions, [(dana, EndReason::Revoke)].into());
    assert_eq!(world.controller.sessions().count(), 0);
    let desired = world.controller.desired(&zt_core::id::GatewayId::new("gw-1").unwrap()).unwrap();
    assert!(desired.roster.is_empty());
    for event in world.directory.events() {
        assert_eq!(world.handle(event).refusal, None, "the directory says the same again");
    }
    let login = Login {
        subject: subject.clone(),
        device: device("dana"),
        public_key: PrivateKey::from_bytes([9; 32]).public_key(),
        assurance: Assurance { authenticated_at: world.now, mfa: Mfa::Absent, acr: "".into() },
        ends_at: world.now.after(HOUR),
    };
    assert!(world.handle(Event::SessionStarted(login.clone())).refusal.is_some());
    let _outcome = world.handle(Event::Identity(IdentityEvent::AccountEnabled { subject }));
    assert_eq!(world.handle(Event::SessionStarted(login)).refusal, None);
}

/// P5: policies that are not valid change nothing; the old ones stay in force.
#[test]
fn inv_p5_invalid_policy_leaves_the_old_in_force() {
    let mut world = World::new(FRIDAY_NOON);
    let dana = world.log_in("dana", 10 * HOUR);
    let _outcome = world.report("dana", "edr_running", true);
    let (before, version) = (world.grants(dana), world.controller.policy_version());
    let mut broken = SiteFiles::embedded().policy;
    broken.policies.insert("z.cedar".into(), "@id(\"z\") permit (principal".into());
    let outcome = world.handle(Event::PolicyLoaded(broken));
    assert!(outcome.refusal.unwrap().to_string().contains("z.cedar"));
    assert_eq!((world.grants(dana), world.controller.policy_version()), (before, version));
    let outcome = world.handle(Event::PolicyLoaded(zt_core::event::PolicySource::default()));
    assert_eq!(outcome.refusal, None);
    assert_eq!(world.grants(dana), [] as [String; 0], "no policies, no access");
}
