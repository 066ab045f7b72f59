//! The wrapper against plain Cedar under policies that nobody checked, so that conditions fail in all ways: values
//! that are not there, of other types, or too large; in parts that read the session, the resource, or both.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::str::FromStr as _;

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};
use proptest::prelude::*;
use zt_core::identity::AttributeValue;

use super::*;

#[derive(Debug, Clone)]
struct Kind {
    level: Option<i64>,
    owner: Option<&'static str>,
    open: Option<bool>,
    segment: bool,
}

fn kind() -> impl Strategy<Value = Kind> {
    let level = prop::option::of(prop::sample::select(vec![0, 1, i64::MAX, i64::MIN]));
    let owner = prop::option::of(prop::sample::select(vec!["alice", "laptop"]));
    (level, owner, prop::option::of(any::<bool>()), any::<bool>())
        .prop_map(|(level, owner, open, segment)| Kind { level, owner, open, segment })
}

fn leaf() -> impl Strategy<Value = String> {
    let leaves = vec![
        "true",
        "false",
        "1",
        "resource",
        "context",
        "resource.open",
        "resource.level",
        "resource.level > 0",
        "resource.level + 1 > 0",
        "resource.level - 1 < 0",
        "-resource.level < 0",
        "resource.level * 2 > principal.level",
        "resource.owner == \"alice\"",
        "resource.owner like \"a*\"",
        "resource.owner > 1",
        "resource has owner",
        "resource has owner.x",
        "resource has open",
        "resource.nothing",
        "resource in Zt::Segment::\"s\"",
        "resource in [Zt::Segment::\"s\", Zt::Resource::\"r1\"]",
        "resource in [Zt::Segment::\"s\", 1]",
        "resource in 1",
        "resource is Zt::Resource",
        "resource is Zt::Resource in Zt::Segment::\"s\"",
        "resource is Zt::User in 1",
        "resource == Zt::Resource::\"r0\"",
        "[Zt::Resource::\"r0\", 1].contains(resource)",
        "[resource.level, 1].contains(1)",
        "{a: resource.level}.a == 1",
        "{a: resource.open, b: principal.tall}.b",
        "(if resource.open then 1 else true)",
        "(if resource has open then resource.open else principal.tall)",
        "resource == principal",
        "Zt::User::\"i|alice\".tall",
        "Zt::User::\"i|bob\".tall",
        "(resource has open || Zt::User::\"i|alice\".tall)",
        "(resource has open && Zt::User::\"i|alice\" in Zt::Segment::\"s\")",
        "[Zt::User::\"i|alice\"].contains(Zt::User::\"i|alice\")",
        "Zt::Resource::\"r0\".open",
        "Zt::Resource::\"r0\" in Zt::Segment::\"s\"",
        "Zt::Segment::\"s\" in Zt::Segment::\"s\"",
        "Zt::Action::\"connect\" == action",
        "action.x",
        "action in Zt::Action::\"connect\"",
        "(resource has open || action == Zt::Action::\"other\")",
        "principal.tall",
        "principal has tall",
        "principal.level > 0",
        "principal.level + 1 > 0",
        "principal == Zt::User::\"i|alice\"",
        "principal in Zt::Group::\"g\"",
        "principal.nothing == resource.nothing",
        "context.session.mfa.present",
        "context.nothing",
        "context.device.id == resource.owner",
        "context.device.id > 1",
        "context.approved.contains(resource)",
        "context.approved.contains(1)",
        "ip(\"nonsense\").isLoopback()",
        "ip(resource.owner).isLoopback()",
        "ip(context.device.id).isLoopback()",
        "ip(\"127.0.0.1\").isLoopback()",
        "ip(\"127.0.0.1\") == ip(\"127.0.0.1\")",
        "ip(\"127.0.0.1\") == ip(\"127.0.0.2\")",
        "[1, 2] == [2, 1]",
        "[1, 2] == [2, 3]",
        "{a: 1} == {a: 2}",
        "{a: 1} == {a: 1}",
        "decimal(\"1.0\") == decimal(\"1.00\")",
        "datetime(\"2026-01-01\") == datetime(\"2026-01-02\")",
        "decimal(\"1.00001\") == decimal(\"1.0\")",
    ];
    prop::sample::select(leaves).prop_map(|leaf| format!("({leaf})"))
}

fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} == {b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

/// Policies that share conditions.
fn policies() -> impl Strategy<Value = Vec<String>> {
    let effect = prop::sample::select(vec!["permit", "permit", "forbid"]);
    let scope = prop::sample::select(vec![
        "principal, action, resource",
        "principal, action, resource in Zt::Segment::\"s\"",
        "principal, action, resource == Zt::Resource::\"r0\"",
        "principal in Zt::User::\"i|alice\", action, resource",
    ]);
    let clause = (prop::sample::select(vec!["when", "when", "unless"]), 0..4_usize);
    let one = (effect, scope, prop::collection::vec(clause, 0..4));
    let some = prop::collection::vec(one, 1..6);
    (prop::collection::vec(condition(), 4), some).prop_map(|(conditions, policies)| {
        let text = |(effect, scope, clauses): (&str, &str, Vec<(&str, usize)>)| {
            let mut text = format!("{effect} ({scope})");
            for (clause, condition) in clauses {
                let _ = write!(text, " {clause} {{ {} }}", conditions[condition]);
            }
            text + ";"
        };
        policies.into_iter().map(text).collect()
    })
}

fn value(text: &str) -> RestrictedExpression {
    RestrictedExpression::from_str(text).expect("a value")
}

fn uid(text: &str) -> EntityUid {
    EntityUid::from_str(text).expect("a uid")
}

fn number(value: i64) -> String {
    value.to_string()
}

struct Each(BTreeMap<u32, (Effect, Vec<u32>)>);

impl DecisionSink for Each {
    fn decided(&mut self, class: ClassId, decision: Decision<'_>) {
        let because = decision.because.iter().map(|policy| policy.0).collect();
        self.0.insert(class.0, (decision.effect, because));
    }
}

type Person = (Option<i64>, Option<bool>, bool, bool);

fn compare(texts: &[String], kinds: &[Kind], (level, tall, mfa, approved): Person) {
    let mut site = "pools = { v4 = \"10.99.0.0/24\" }\n\
        gateway = [{ id = \"gw\", group = \"main\", endpoint = \"127.0.0.1:0\" }]\n\
        group = [{ id = \"g\" }]\nsegment = [{ id = \"s\" }]\n"
        .to_owned();
    let mut entities = Vec::new();
    for (place, kind) in kinds.iter().enumerate() {
        let _ = writeln!(
            site,
            "[[resource]]\nid = \"r{place}\"\ngateways = \"main\"\naddresses = [\"10.100.0.{}/32\"]\n\
             services = [\"tcp/1\"]\napproval = {{ by = [\"g\"], count = 1, for = \"1h\" }}",
            place.saturating_add(1)
        );
        if kind.segment {
            site.push_str("segments = [\"s\"]\n");
        }
        let mut attributes = Vec::new();
        attributes.extend(kind.level.map(|level| ("level", number(level))));
        attributes.extend(kind.owner.map(|owner| ("owner", format!("{owner:?}"))));
        attributes.extend(kind.open.map(|open| ("open", open.to_string())));
        let list: Vec<_> = attributes.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let _ = writeln!(site, "attributes = {{ {} }}", list.join(", "));
        let attributes = attributes.iter().map(|(name, text)| ((*name).to_owned(), value(text)));
        let parents: HashSet<_> = kind.segment.then(|| uid("Zt::Segment::\"s\"")).into_iter().collect();
        let of = uid(&format!("Zt::Resource::\"r{place}\""));
        entities.push(Entity::new(of, attributes.collect(), parents).expect("a resource"));
    }
    let mut own = Vec::new();
    own.extend(level.map(|level| ("level".to_owned(), value(&number(level)))));
    own.extend(tall.map(|tall| ("tall".to_owned(), value(&tall.to_string()))));
    let alice = uid("Zt::User::\"i|alice\"");
    entities.push(Entity::new(alice.clone(), own.into_iter().collect(), HashSet::new()).expect("alice"));
    let used = kinds.iter().any(|kind| kind.segment);
    entities.extend(used.then(|| Entity::new_no_attrs(uid("Zt::Segment::\"s\""), HashSet::new())));
    let entities = Entities::from_entities(entities, None).expect("a store");
    let site = Site::parse(&SiteSource { file: "site.toml".to_owned(), text: site }).expect("a site");
    let names: Vec<_> = (0..texts.len()).map(|place| place.to_string()).collect();
    let policies = texts.iter().zip(&names).map(|(text, name)| unchecked(name, text, &site)).collect();
    let mut source = PolicySource::default();
    let types = "namespace Site { type UserAttributes = { level?: Long, tall?: Bool };
        type ResourceAttributes = { level?: Long, owner?: String, open?: Bool }; }";
    source.schema.insert("s".to_owned(), types.to_owned());
    let schema = schema::load(&source, &schema::schema_text(&site)).expect("a schema");
    let loaded = Loaded::compile(policies, &site, schema, PolicyVersion([0; 32])).expect("programs");
    let set = PolicySet::from_str(&texts.concat()).expect("policies");

    let subject = Subject::new(Issuer::new("i").expect("an issuer"), "alice").expect("a name");
    let id = DeviceId::new("laptop").expect("an id");
    let now = Timestamp::from_millis(1_767_225_600_000);
    let mut identity = Identity {
        subject: subject.clone(),
        profile: Arc::default(),
        account: Account::Enabled,
        revoked_at: Timestamp::default(),
    };
    let attributes = &mut Arc::make_mut(&mut identity.profile).attributes;
    attributes.extend(level.map(|level| ("level".to_owned(), AttributeValue::Long(level))));
    attributes.extend(tall.map(|tall| ("tall".to_owned(), AttributeValue::Bool(tall))));
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
        assurance: Assurance {
            authenticated_at: now,
            mfa: if mfa { Mfa::At(now) } else { Mfa::Absent },
            acr: "".into(),
        },
        started_at: now,
        ends_at: now,
        state: SessionState::Active,
        epoch: SessionEpoch(0),
    };
    let approved_set = approved.then(|| zt_core::id::ResourceId::new("r0").expect("an id"));
    let approved_set = approved_set.into_iter().collect();
    let facts = SessionFacts {
        now,
        identity: &identity,
        device: &device,
        session: &session,
        open_windows: &BTreeSet::new(),
        approved: &approved_set,
        site: &site,
    };
    let mfa_at = if mfa { "2026-01-01" } else { "0001-01-01" };
    let pairs = [
        ("now", "datetime(\"2026-01-01\")".to_owned()),
        (
            "session",
            format!(
                "{{startedAt: datetime(\"2026-01-01\"), authenticatedAt: datetime(\"2026-01-01\"), \
                 mfa: {{present: {mfa}, at: datetime(\"{mfa_at}\")}}, acr: \"\"}}"
            ),
        ),
        ("device", "{id: \"laptop\"}".to_owned()),
        ("windows", "[]".to_owned()),
        ("approved", if approved { "[Zt::Resource::\"r0\"]" } else { "[]" }.to_owned()),
        ("posture", "{}".to_owned()),
    ];
    let context =
        Context::from_pairs(pairs.map(|(name, text)| (name.to_owned(), value(&text)))).expect("a context");

    let classes: Vec<_> = loaded.index.classes().iter().map(|(class, _)| class).collect();
    let mut each = Each(BTreeMap::new());
    decide(&loaded, &facts, &classes, &mut each);
    for (class, members) in loaded.index.classes().iter() {
        for member in members {
            let name = site.resource(*member).expect("a resource").id.to_string();
            let resource = uid(&format!("Zt::Resource::\"{name}\""));
            let connect = uid("Zt::Action::\"connect\"");
            let request = Request::new(alice.clone(), connect, resource, context.clone(), None);
            let plain = Authorizer::new().is_authorized(&request.expect("a request"), &set, &entities);
            let number = |id: &cedar_policy::PolicyId| {
                id.to_string().trim_start_matches("policy").parse::<u32>().expect("a number")
            };
            let held: BTreeSet<_> = plain.diagnostics().reason().map(number).collect();
            let failed: BTreeSet<_> = plain
                .diagnostics()
                .errors()
                .map(|error| match error {
                    cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
                        number(error.policy_id())
                    }
                })
                .collect();
            let expected = match plain.decision() {
                _ if !failed.is_empty() => (Effect::Deny(DenyCause::EvaluationError), failed),
                cedar_policy::Decision::Allow => (Effect::Allow, held),
                cedar_policy::Decision::Deny if held.is_empty() => {
                    (Effect::Deny(DenyCause::NotPermitted), held)
                }
                cedar_policy::Decision::Deny => (Effect::Deny(DenyCause::Forbidden), held),
            };
            let (effect, because) = &each.0[&class.0];
            let said = (*effect, because.iter().copied().collect::<BTreeSet<_>>());
            assert_eq!(said, expected, "{name}: {texts:#?} {kinds:#?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn plain_cedar_says_the_same_however_conditions_fail(
        texts in policies(),
        kinds in prop::collection::vec(kind(), 1..7),
        person in (
            prop::option::of(prop::sample::select(vec![0, 1, i64::MAX])),
            prop::option::of(any::<bool>()),
            any::<bool>(),
            any::<bool>(),
        ),
    ) {
        compare(&texts, &kinds, person);
    }
}
