//! A small site, one person on one device, and decisions on them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use zt_core::decide::{
    ClassId, Decide as _, Decision, DecisionSink, DenyCause, Effect, PolicyError, PolicyVersion,
    SessionFacts, Validity,
};
use zt_core::device::{Device, DeviceAddresses, FactStatus, FactValue, Facts, KeyBinding, PostureFact, Tier};
use zt_core::event::{PolicySource, SiteSource};
use zt_core::id::{DeviceId, FactName, GroupId, Issuer, ResourceId, SessionEpoch, SessionId, WindowId};
use zt_core::identity::{Account, Assurance, AttributeValue, Identity, Mfa, Subject};
use zt_core::key::PrivateKey;
use zt_core::session::{Session, SessionState};
use zt_core::site::Site;
use zt_core::time::Timestamp;
use zt_policy::PolicyEngine;

pub(crate) const SITE: &str = r#"
[pools]
v4 = "10.99.0.0/24"
[[gateway]]
id = "gw"
group = "main"
endpoint = "127.0.0.1:0"
[[group]]
id = "staff"
[[group]]
id = "quarantine"
[[segment]]
id = "intranet"
[[window]]
id = "office"
zone = "Europe/Berlin"
days = ["mon"]
from = "07:00"
to = "19:00"
[[fact]]
id = "edr"
kind = "bool"
max-age = "300d"
[[fact]]
id = "patches"
kind = "long"
max-age = "1h"
[[resource]]
id = "db"
gateways = "main"
addresses = ["10.100.0.1/32"]
services = ["tcp/1"]
approval = { by = ["staff"], count = 1, for = "1h" }
[[resource]]
id = "wiki"
gateways = "main"
addresses = ["10.100.0.2/32"]
services = ["tcp/2"]
segments = ["intranet"]
"#;

/// 2026-01-01T00:00:00Z
pub(crate) const NEW_YEAR: Timestamp = Timestamp::from_millis(1_767_225_600_000);

pub(crate) fn site(text: &str) -> Site {
    Site::parse(&SiteSource { file: "site.toml".to_owned(), text: text.to_owned() }).expect("a valid site")
}

pub(crate) fn policies(text: &str) -> PolicySource {
    PolicySource { policies: [("p.cedar".to_owned(), text.to_owned())].into(), ..PolicySource::default() }
}

/// Policies with ids by their order: `p0`, `p1` and so on.
pub(crate) fn numbered(texts: &[&str]) -> PolicySource {
    let text = texts.iter().enumerate().map(|(n, text)| format!("@id(\"p{n}\") {text}\n"));
    policies(&text.collect::<String>())
}

/// Those of `texts` that load on their own.
pub(crate) fn that_load(texts: &[String], source: impl Fn(&[&str]) -> PolicySource) -> Vec<&str> {
    let mut world = World::new(SITE);
    texts.iter().map(String::as_str).filter(|text| world.load(&source(&[text])).is_ok()).collect()
}

/// What an engine says of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) effect: Effect,
    pub(crate) because: Vec<String>,
    pub(crate) valid: Validity,
}

pub(crate) struct World {
    pub(crate) engine: PolicyEngine,
    pub(crate) site: Site,
    pub(crate) now: Timestamp,
    pub(crate) identity: Identity,
    pub(crate) device: Device,
    pub(crate) session: Session,
    pub(crate) windows: BTreeSet<WindowId>,
    pub(crate) approved: BTreeSet<ResourceId>,
}

impl World {
    /// An engine without policies; alice, in no group, logged in an hour ago without a second factor, on a device of
    /// which nothing is known.
    pub(crate) fn new(site_text: &str) -> Self {
        let subject =
            Subject::new(Issuer::new("https://idp.example").expect("an issuer"), "alice").expect("a name");
        let (id, key) =
            (DeviceId::new("laptop").expect("an id"), PrivateKey::from_bytes([7; 32]).public_key());
        let hour_ago = Timestamp::from_millis(NEW_YEAR.as_millis() - 3_600_000);
        Self {
            engine: PolicyEngine::new(),
            site: site(site_text),
            now: NEW_YEAR,
            identity: Identity {
                subject: subject.clone(),
                profile: Arc::default(),
                account: Account::Enabled,
                revoked_at: Timestamp::default(),
            },
            device: Device {
                id: id.clone(),
                owner: subject.clone(),
                key: KeyBinding::AtLogin,
                addresses: DeviceAddresses::default(),
                facts: Facts::default(),
            },
            session: Session {
                id: SessionId(1),
                subject,
                device: id,
                public_key: key,
                assurance: Assurance { authenticated_at: hour_ago, mfa: Mfa::Absent, acr: "".into() },
                started_at: hour_ago,
                ends_at: NEW_YEAR.after(Duration::from_hours(8)),
                state: SessionState::Active,
                epoch: SessionEpoch(0),
            },
            windows: BTreeSet::new(),
            approved: BTreeSet::new(),
        }
    }

    /// The world of [`SITE`] with these policies in force.
    pub(crate) fn with(source: &PolicySource) -> Self {
        let mut world = Self::new(SITE);
        world.load(source).expect("valid policies");
        world
    }

    pub(crate) fn load(&mut self, source: &PolicySource) -> Result<PolicyVersion, PolicyError> {
        self.engine.load(source, &self.site)
    }

    pub(crate) fn join(&mut self, group: &str) -> &mut Self {
        let profile = Arc::make_mut(&mut self.identity.profile);
        let joined = GroupId::new(group).expect("a group");
        profile.groups = profile.groups.iter().cloned().chain([joined]).collect();
        self
    }

    pub(crate) fn open(&mut self, window: &str) -> &mut Self {
        self.windows.insert(WindowId::new(window).expect("a window"));
        self
    }

    pub(crate) fn approve(&mut self, resource: &str) -> &mut Self {
        self.approved.insert(ResourceId::new(resource).expect("a resource"));
        self
    }

    pub(crate) fn set(&mut self, attribute: &str, value: AttributeValue) -> &mut Self {
        Arc::make_mut(&mut self.identity.profile).attributes.insert(attribute.to_owned(), value);
        self
    }

    pub(crate) fn report(
        &mut self,
        fact: &str,
        (status, value): (FactStatus, FactValue),
        at: Timestamp,
    ) -> &mut Self {
        let name = FactName::new(fact).expect("a fact");
        let source = "test".to_owned();
        let fact = PostureFact { name, status, value, source, tier: Tier::SelfAsserted, observed_at: at };
        self.device.facts.insert((&fact).into());
        self
    }

    pub(crate) fn facts(&self) -> SessionFacts<'_> {
        SessionFacts {
            now: self.now,
            identity: &self.identity,
            device: &self.device,
            session: &self.session,
            open_windows: &self.windows,
            approved: &self.approved,
            site: &self.site,
        }
    }

    pub(crate) fn ask_class(&self, class: ClassId) -> Answer {
        let mut answers = Answers { engine: &self.engine, answers: Vec::new() };
        self.engine.decide(&self.facts(), &[class], &mut answers);
        assert_eq!(answers.answers.len(), 1, "one answer for each class");
        let (answered, answer) = answers.answers.remove(0);
        assert_eq!(answered, class);
        answer
    }

    pub(crate) fn ask(&self, resource: &str) -> Answer {
        let index =
            self.site.resources().iter().position(|found| found.id.as_str() == resource).expect("declared");
        let has = |members: &[zt_core::site::ResourceIndex]| {
            members.iter().any(|member| member.0 as usize == index)
        };
        let (class, _) = self.engine.classes().iter().find(|(_, members)| has(members)).expect("a class");
        self.ask_class(class)
    }

    pub(crate) fn effect(&self, resource: &str) -> Effect {
        self.ask(resource).effect
    }

    pub(crate) fn denied(&self, resource: &str) -> DenyCause {
        match self.effect(resource) {
            Effect::Deny(cause) => cause,
            Effect::Allow => panic!("`{resource}` is allowed"),
        }
    }
}

struct Answers<'a> {
    engine: &'a PolicyEngine,
    answers: Vec<(ClassId, Answer)>,
}

impl DecisionSink for Answers<'_> {
    fn decided(&mut self, class: ClassId, decision: Decision<'_>) {
        assert!(decision.because.is_sorted());
        let because =
            decision.because.iter().map(|policy| self.engine.policy_name(*policy).to_owned()).collect();
        self.answers.push((class, Answer { effect: decision.effect, because, valid: decision.valid }));
    }
}
