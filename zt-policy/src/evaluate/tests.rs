//! The wrapper alone, under policies that the rules would never let in force: forbids that fail.

mod unchecked;

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::pst;
use zt_core::decide::PolicyVersion;
use zt_core::device::{Device, DeviceAddresses, KeyBinding};
use zt_core::event::{PolicySource, SiteSource};
use zt_core::id::{DeviceId, Issuer, SessionEpoch, SessionId};
use zt_core::identity::{Account, Assurance, Identity, Mfa, Subject};
use zt_core::key::PrivateKey;
use zt_core::session::{Session, SessionState};
use zt_core::site::{ResourceIndex, Site};

use super::*;
use crate::constants::Constants;
use crate::policies::Policy;
use crate::reads::Reads;
use crate::schema;

const SITE: &str = r#"
pools = { v4 = "10.99.0.0/24" }
gateway = [{ id = "gw", group = "main", endpoint = "127.0.0.1:0" }]
fact = [{ id = "patches", kind = "long", max-age = "1h" }]
resource = [{ id = "wiki", gateways = "main", addresses = ["10.100.0.1/32"], services = ["tcp/1"] }]
"#;

struct Collect(Vec<(Effect, Vec<PolicyIndex>)>);

impl DecisionSink for Collect {
    fn decided(&mut self, _: ClassId, decision: Decision<'_>) {
        self.0.push((decision.effect, decision.because.to_vec()));
    }
}

/// A policy that nobody checked.
fn unchecked(name: &str, text: &str, site: &Site) -> Policy {
    let policy = cedar_policy::Policy::parse(None, text).expect("a policy");
    let Ok(pst::Policy::Static(tree)) = policy.to_pst() else { panic!("a tree") };
    let reads = Reads::of(tree.body(), site, &mut Constants::default());
    Policy { name: name.to_owned(), place: "test".to_owned(), text: text.into(), tree, reads }
}

/// `policies` in force as they are.
fn loaded(policies: &[String], site: &Site) -> Loaded {
    let policies = policies.iter().zip(["0", "1"]).map(|(text, name)| unchecked(name, text, site)).collect();
    let schema = schema::load(&PolicySource::default(), &schema::schema_text(site)).expect("a schema");
    Loaded::compile(policies, site, schema, PolicyVersion([0; 32])).expect("policies that lower")
}

/// Decides under `forbid .. when { condition }` as policy 0, beside a permit of everything as policy 1.
fn under_forbid(condition: &str) -> (Effect, Vec<PolicyIndex>) {
    let site = SiteSource { file: "site.toml".to_owned(), text: SITE.to_owned() };
    let site = Site::parse(&site).expect("a site");
    let texts = [
        format!("forbid (principal, action, resource) when {{ {condition} }};"),
        "permit (principal, action, resource);".to_owned(),
    ];
    decided(&loaded(&texts, &site), &site)
}

fn decided(loaded: &Loaded, site: &Site) -> (Effect, Vec<PolicyIndex>) {
    let subject = Subject::new(Issuer::new("i").expect("an issuer"), "alice").expect("a name");
    let id = DeviceId::new("laptop").expect("an id");
    let now = Timestamp::from_millis(1_767_225_600_000);
    let identity = Identity {
        subject: subject.clone(),
        profile: Arc::default(),
        account: Account::Enabled,
        revoked_at: Timestamp::default(),
    };
    let device = Device {
        id: id.clone(),
        owner: subject.clone(),
        key: KeyBinding::AtLogin,
        addresses: DeviceAddresses::default(),
        facts: zt_core::device::Facts::default(),
    };
    let session = Session {
        id: SessionId(1),
        subject,
        device: id,
        public_key: PrivateKey::from_bytes([7; 32]).public_key(),
        assurance: Assurance { authenticated_at: now, mfa: Mfa::At(now), acr: "".into() },
        started_at: now,
        ends_at: now,
        state: SessionState::Active,
        epoch: SessionEpoch(0),
    };
    let facts = SessionFacts {
        now,
        identity: &identity,
        device: &device,
        session: &session,
        open_windows: &BTreeSet::new(),
        approved: &BTreeSet::new(),
        site,
    };
    assert_eq!(loaded.index.classes().members(ClassId(0)), [ResourceIndex(0)]);
    let mut collect = Collect(Vec::new());
    decide(loaded, &facts, &[ClassId(0)], &mut collect);
    collect.0.remove(0)
}

#[test]
fn a_forbid_that_fails_denies_and_is_named() {
    for condition in [
        "context.device.compromised == true",
        "!Zt::User::\"nobody\".trusted",
        "(context.posture.patches.value + 1) * 9223372036854775807 + 1 > 5",
        "context.now.offset(duration(\"9223372036854775807ms\")) > context.now",
        "ip(context.device.id).isLoopback()",
        "context.device.id > 3",
        "principal.risk > 5",
        "resource.risk > 5",
    ] {
        let denied = (Effect::Deny(DenyCause::EvaluationError), vec![PolicyIndex(0)]);
        assert_eq!(under_forbid(condition), denied, "{condition}");
    }
    assert_eq!(under_forbid("false"), (Effect::Allow, vec![PolicyIndex(1)]), "the control");
    assert_eq!(under_forbid("true"), (Effect::Deny(DenyCause::Forbidden), vec![PolicyIndex(0)]));
}

/// What cannot be run has failed; it is not passed over.
#[test]
fn a_policy_or_a_resource_that_is_not_there_denies() {
    let site = SiteSource { file: "site.toml".to_owned(), text: SITE.to_owned() };
    let site = Site::parse(&site).expect("a site");
    let texts = [
        "permit (principal, action, resource);".to_owned(),
        "forbid (principal, action, resource) when { resource == context.session.acr };".to_owned(),
    ];
    let denied = (Effect::Deny(DenyCause::EvaluationError), vec![PolicyIndex(1)]);
    let mut broken = loaded(&texts, &site);
    assert_eq!(decided(&broken, &site).0, Effect::Allow, "the control");
    broken.resources.clear();
    assert_eq!(decided(&broken, &site), denied);
    let mut broken = loaded(&texts, &site);
    broken.conditions.forget_last();
    assert_eq!(decided(&broken, &site), denied);
}
