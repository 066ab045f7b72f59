//! What is reported again, or is not read by any policy, costs neither a decision nor a message nor memory.

#![allow(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::time::Duration;

use zt_core::controller::Controller;
use zt_core::decide::{
    ClassId, Decide, DecisionSink, PolicyError, PolicyIndex, PolicyVersion, Remedy, ResourceClasses,
    SessionFacts, Validity, View,
};
use zt_core::device::{FactStatus, FactValue, KeyBinding, PostureFact, Tier};
use zt_core::event::{Entry, Event, Login, PolicySource, SiteSource};
use zt_core::id::{DeviceId, FactName, Issuer};
use zt_core::identity::{Assurance, AttributeValue, Mfa, Subject};
use zt_core::key::PrivateKey;
use zt_core::site::Site;
use zt_core::testing::TableEngine;
use zt_core::time::Timestamp;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const MINUTE: Duration = Duration::from_mins(1);

const SITE: &str = r#"
pools = { v4 = "10.99.0.0/24", v6 = "fd99::/64" }
group = [{ id = "staff", claims = [{ issuer = "https://idp.example", value = "staff" }] }]
fact = [{ id = "disk", kind = "bool", max-age = "1h" }, { id = "os", kind = "string", max-age = "1h" }]
gateway = [{ id = "gw-1", group = "main", endpoint = "192.0.2.1:51820" }]
resource = [{ id = "wiki", gateways = "main", addresses = ["10.100.2.30/32"], services = ["tcp/443"] }]
"#;

/// A table whose answers hold for fifteen minutes, so that each look at a session moves its timer.
#[derive(Debug, Default)]
struct Timed(TableEngine);

impl Decide for Timed {
    fn load(&mut self, source: &PolicySource, site: &Site) -> Result<PolicyVersion, PolicyError> {
        self.0.load(source, site)
    }

    fn classes(&self) -> &ResourceClasses {
        self.0.classes()
    }

    fn view(&self, facts: &SessionFacts<'_>, view: &mut View) -> Validity {
        self.0.view(facts, view).min(Validity::Until(facts.now.after(Duration::from_mins(15))))
    }

    fn affected(&self, before: &View, after: &View, classes: &mut Vec<ClassId>) {
        self.0.affected(before, after, classes);
    }

    fn decide(&self, facts: &SessionFacts<'_>, classes: &[ClassId], sink: &mut dyn DecisionSink) {
        self.0.decide(facts, classes, sink);
    }

    fn remedies(&self, facts: &SessionFacts<'_>, class: ClassId) -> Vec<Remedy> {
        self.0.remedies(facts, class)
    }

    fn policy_name(&self, policy: PolicyIndex) -> &str {
        self.0.policy_name(policy)
    }
}

fn subject() -> Subject {
    Subject::new(Issuer::new("https://idp.example").unwrap(), "dana").unwrap()
}

fn device() -> DeviceId {
    DeviceId::new("laptop").unwrap()
}

fn observed() -> Event {
    let attributes = [("team".to_owned(), AttributeValue::String("blue".into()))].into();
    Event::IdentityObserved {
        subject: subject(),
        claims: ["staff", "other"].map(str::to_owned).into(),
        attributes,
    }
}

fn report(os: &str, observed_at: Timestamp) -> Event {
    let fact = |name: &str, value| PostureFact {
        name: FactName::new(name).unwrap(),
        status: FactStatus::Pass,
        value,
        source: "/etc/os-release".to_owned(),
        tier: Tier::SelfAsserted,
        observed_at,
    };
    let facts = vec![fact("os", FactValue::String(os.to_owned())), fact("disk", FactValue::Bool(true))];
    Event::PostureReported { device: device(), facts }
}

#[test]
fn what_changes_nothing_costs_nothing() {
    let mut controller = Controller::new(Timed::default());
    let mut now = START;
    let policies = [("table".to_owned(), "staff wiki".to_owned())].into();
    let login = Login {
        subject: subject(),
        device: device(),
        public_key: PrivateKey::from_bytes([1; 32]).public_key(),
        assurance: Assurance { authenticated_at: now, mfa: Mfa::Absent, acr: "".into() },
        ends_at: now.after(Duration::from_hours(8)),
    };
    let beginning = [
        Event::SiteLoaded(SiteSource { file: "site.toml".into(), text: SITE.into() }),
        Event::PolicyLoaded(PolicySource { policies, ..PolicySource::default() }),
        observed(),
        Event::DeviceEnrolled { device: device(), owner: subject(), key: KeyBinding::AtLogin },
        report("12", now),
        Event::SessionStarted(login),
        report("13", now),
    ];
    for event in beginning {
        let entry = Entry { seq: controller.next_seq(), at: now, event };
        assert_eq!(controller.handle(&entry).refusal, None);
    }
    let next = |controller: &Controller<Timed>| controller.next_deadline().unwrap().at;
    for (name, event) in [
        ("the same report", |at| report("13", at)),
        ("another value that no policy reads", |at| report("12", at)),
        ("the same identity", |_| observed()),
        ("a tick", |_| Event::Tick),
    ] as [(&str, fn(Timestamp) -> Event); 4]
    {
        now = now.after(MINUTE);
        let before = next(&controller);
        let entry = Entry { seq: controller.next_seq(), at: now, event: event(now) };
        let mut outcome = None;
        let info = allocation_counter::measure(|| outcome = Some(controller.handle(&entry)));
        let outcome = outcome.unwrap();
        assert_eq!(info.count_total, 0, "{name} allocates");
        assert_eq!((outcome.refusal, outcome.decisions, outcome.gateways.len()), (None, 0, 0), "{name}");
        let moves = matches!(entry.event, Event::PostureReported { .. });
        assert_eq!(next(&controller) > before, moves, "{name}: the timer");
    }
    // the same counter does see what a change costs
    let entry = Entry { seq: controller.next_seq(), at: now, event: report("14", now) };
    assert!(allocation_counter::measure(|| drop(controller.handle(&entry))).count_total > 0);
}
