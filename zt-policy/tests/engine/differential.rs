//! The engine against plain Cedar (P6): the same answer where Cedar reports no error, a denial where it reports one.
//!
//! Entities and context are made a second time here, from Cedar's own syntax and without a schema.

use std::collections::{BTreeSet, HashSet};
use std::str::FromStr as _;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicyId, PolicySet, Request,
    RestrictedExpression,
};
use proptest::prelude::*;
use zt_core::decide::{DenyCause, Effect};
use zt_core::device::{FactStatus, FactValue};
use zt_core::event::PolicySource;
use zt_core::identity::{AttributeValue, Mfa};
use zt_core::time::Timestamp;

use crate::world::{NEW_YEAR, World, numbered, that_load};

pub(crate) fn condition() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "context.posture.edr.status == \"pass\"",
        "context.posture.edr.status != \"pass\"",
        "context.posture.edr.value",
        "(context.posture.patches.status == \"pass\" && context.posture.patches.value < 3)",
        "context.posture.patches.status != \"unknown\"",
        "context.posture.patches.tier >= 0",
        "context.posture.edr.age <= duration(\"1h\")",
        "context.posture.patches.source like \"te*\"",
        "context.windows.contains(\"office\")",
        "context.session.mfa.present",
        "context.now.durationSince(context.session.mfa.at) < duration(\"2h\")",
        "context.session.acr == \"strong\"",
        "context.device.id == \"laptop\"",
        "principal in Zt::Group::\"staff\"",
        "principal in [Zt::Group::\"staff\", Zt::Group::\"quarantine\"]",
        "resource in Zt::Segment::\"intranet\"",
        "resource == Zt::Resource::\"db\"",
        "principal == Zt::User::\"https://idp.example|alice\"",
        "principal.tags.contains(\"a\")",
        "context.approved.contains(resource)",
        "(principal has risk && principal.risk > 2)",
        "principal.level * 4611686018427387904 > 5",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

pub(crate) fn policy() -> impl Strategy<Value = String> {
    let effect = prop::sample::select(vec!["permit", "permit", "forbid"]);
    let scope = prop::sample::select(vec![
        "principal, action, resource",
        "principal in Zt::Group::\"staff\", action == Zt::Action::\"connect\", resource",
        "principal, action, resource in Zt::Segment::\"intranet\"",
        "principal is Zt::User in Zt::Group::\"quarantine\", action, resource == Zt::Resource::\"wiki\"",
    ]);
    let clause = prop::sample::select(vec!["when", "unless"]);
    (effect, scope, clause, condition()).prop_map(|(effect, scope, clause, condition)| {
        format!("{effect} ({scope}) {clause} {{ {condition} }};")
    })
}

#[derive(Debug, Clone)]
pub(crate) struct Facts {
    groups: BTreeSet<&'static str>,
    office: bool,
    mfa_minutes: Option<i64>,
    strong: bool,
    edr: Option<(FactStatus, bool, i64)>,
    patches: Option<(FactStatus, i64, i64)>,
    level: i64,
    risk: Option<i64>,
    tagged: bool,
    approved: bool,
}

pub(crate) fn facts() -> impl Strategy<Value = Facts> {
    let status = || {
        let all = vec![FactStatus::Pass, FactStatus::Fail, FactStatus::Unknown, FactStatus::Unsupported];
        prop::sample::select(all)
    };
    let groups = prop::sample::subsequence(vec!["staff", "quarantine"], 0..=2);
    let edr = prop::option::of((status(), any::<bool>(), 0..120_i64));
    let patches = prop::option::of((status(), 0..5_i64, 0..120_i64));
    let session = (any::<bool>(), prop::option::of(0..240_i64), any::<bool>());
    let user = (prop::sample::select(vec![0, 1, 2, -3]), prop::option::of(0..5_i64), any::<[bool; 2]>());
    (groups, session, edr, patches, user).prop_map(|(groups, session, edr, patches, user)| Facts {
        groups: groups.into_iter().collect(),
        office: session.0,
        mfa_minutes: session.1,
        strong: session.2,
        edr,
        patches,
        level: user.0,
        risk: user.1,
        tagged: user.2[0],
        approved: user.2[1],
    })
}

fn minutes_ago(minutes: i64) -> Timestamp {
    Timestamp::from_millis(NEW_YEAR.as_millis() - minutes * 60_000)
}

impl Facts {
    pub(crate) fn put_into(&self, world: &mut World) {
        for group in &self.groups {
            world.join(group);
        }
        if self.office {
            world.open("office");
        }
        world.session.assurance.mfa = self.mfa_minutes.map_or(Mfa::Absent, |ago| Mfa::At(minutes_ago(ago)));
        world.session.assurance.acr = self.acr().into();
        if let Some((status, value, ago)) = self.edr {
            world.report("edr", (status, FactValue::Bool(value)), minutes_ago(ago));
        }
        if let Some((status, value, ago)) = self.patches {
            world.report("patches", (status, FactValue::Long(value)), minutes_ago(ago));
        }
        let tags = self.tagged.then(|| "a".to_owned()).into_iter().collect();
        world.set("level", AttributeValue::Long(self.level)).set("tags", AttributeValue::Strings(tags));
        if self.approved {
            world.approve("db");
        }
        if let Some(risk) = self.risk {
            world.set("risk", AttributeValue::Long(risk));
        }
    }

    /// The same, with what is marked taken from `other`.
    pub(crate) fn mixed_with(&self, other: &Self, marked: &[bool]) -> Self {
        let from = |place: usize| if marked[place] { other } else { self };
        Self {
            groups: from(0).groups.clone(),
            office: from(1).office,
            mfa_minutes: from(2).mfa_minutes,
            strong: from(3).strong,
            edr: from(4).edr,
            patches: from(5).patches,
            level: from(6).level,
            risk: from(7).risk,
            tagged: from(8).tagged,
            approved: from(9).approved,
        }
    }

    const fn acr(&self) -> &'static str {
        if self.strong { "strong" } else { "" }
    }

    /// A fact as policies see it, in Cedar's syntax.
    fn fact(fact: Option<(FactStatus, String, i64)>, (zero, max_age): (&str, i64)) -> String {
        let why = if fact.is_some() { "stale" } else { "never reported" };
        let known = fact.filter(|(_, _, ago)| *ago < max_age);
        let (status, value, source, age) = match known {
            Some((status @ (FactStatus::Pass | FactStatus::Fail), value, ago)) => {
                (status.as_str(), value, "test", format!("{ago}m"))
            }
            Some((status, _, _)) => (status.as_str(), zero.to_owned(), "test", "36500d".to_owned()),
            None => ("unknown", zero.to_owned(), why, "36500d".to_owned()),
        };
        format!(
            "{{status: \"{status}\", value: {value}, source: \"{source}\", tier: 0, age: duration(\"{age}\")}}"
        )
    }

    fn context(&self) -> Context {
        let mfa = self.mfa_minutes.map_or(("false", "0001-01-01T00:00:00Z".to_owned()), |ago| {
            ("true", minutes_ago(ago).to_string())
        });
        let edr = self.edr.map(|(status, value, ago)| (status, value.to_string(), ago));
        let patches = self.patches.map(|(status, value, ago)| (status, value.to_string(), ago));
        let edr = Self::fact(edr, ("false", i64::MAX));
        let patches = Self::fact(patches, ("0", 60));
        let pairs = [
            ("now", "datetime(\"2026-01-01\")".to_owned()),
            (
                "session",
                format!(
                    "{{mfa: {{present: {}, at: datetime(\"{}\")}}, acr: \"{}\"}}",
                    mfa.0,
                    mfa.1,
                    self.acr()
                ),
            ),
            ("device", "{id: \"laptop\"}".to_owned()),
            ("windows", if self.office { "[\"office\"]".to_owned() } else { "[]".to_owned() }),
            ("approved", if self.approved { "[Zt::Resource::\"db\"]".to_owned() } else { "[]".to_owned() }),
            ("posture", format!("{{edr: {edr}, patches: {patches}}}")),
        ];
        let pairs = pairs.map(|(name, text)| (name.to_owned(), expression(&text)));
        Context::from_pairs(pairs).expect("a context")
    }

    pub(crate) fn entities(&self) -> Entities {
        let mut attributes = vec![
            ("level".to_owned(), expression(&self.level.to_string())),
            ("tags".to_owned(), expression(if self.tagged { "[\"a\"]" } else { "[]" })),
        ];
        attributes.extend(self.risk.map(|risk| ("risk".to_owned(), expression(&risk.to_string()))));
        let groups: HashSet<_> = self.groups.iter().map(|group| uid("Group", group)).collect();
        let user =
            Entity::new(uid("User", "https://idp.example|alice"), attributes.into_iter().collect(), groups);
        let bare = |uid, parents: &[EntityUid]| Entity::new_no_attrs(uid, parents.iter().cloned().collect());
        let all = [
            user.expect("a user"),
            bare(uid("Group", "staff"), &[]),
            bare(uid("Group", "quarantine"), &[]),
            bare(uid("Segment", "intranet"), &[]),
            bare(uid("Resource", "wiki"), &[uid("Segment", "intranet")]),
            bare(uid("Resource", "db"), &[]),
        ];
        Entities::from_entities(all, None).expect("a store")
    }
}

fn expression(text: &str) -> RestrictedExpression {
    RestrictedExpression::from_str(text).expect("a value")
}

fn uid(of: &str, id: &str) -> EntityUid {
    EntityUid::from_str(&format!("Zt::{of}::\"{id}\"")).expect("an entity")
}

/// These policies, for people with a level and tags.
pub(crate) fn source(texts: &[&str]) -> PolicySource {
    let mut source = numbered(texts);
    let types = "namespace Site { type UserAttributes = { level: Long, risk?: Long, tags: Set<String> }; }";
    source.schema.insert("s".to_owned(), types.to_owned());
    source
}

/// What Cedar is asked about a resource.
pub(crate) fn request(facts: &Facts, resource: &str) -> Request {
    let alice = uid("User", "https://idp.example|alice");
    let connect = uid("Action", "connect");
    Request::new(alice, connect, uid("Resource", resource), facts.context(), None).expect("a request")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn inv_p6_plain_cedar_says_the_same_or_fails(
        texts in prop::collection::vec(policy(), 1..5),
        facts in facts(),
    ) {
        // Arithmetic in a forbid, what an unknown fact would widen, and what can never hold are refused.
        let texts = that_load(&texts, source);
        prop_assume!(!texts.is_empty());
        let mut world = World::with(&source(&texts));
        facts.put_into(&mut world);
        // `policy0` of the whole text is `p0` of the engine.
        let set = PolicySet::from_str(&texts.concat()).expect("policies");
        let name = |id: &PolicyId| id.to_string().replace("policy", "p");
        for resource in ["wiki", "db"] {
            let plain = Authorizer::new().is_authorized(&request(&facts, resource), &set, &facts.entities());
            let held: BTreeSet<_> = plain.diagnostics().reason().map(name).collect();
            let failed = plain.diagnostics().errors().count();
            let expected = match (failed, plain.decision()) {
                (1.., _) => Effect::Deny(DenyCause::EvaluationError),
                (0, Decision::Allow) => Effect::Allow,
                (0, Decision::Deny) if held.is_empty() => Effect::Deny(DenyCause::NotPermitted),
                (0, Decision::Deny) => Effect::Deny(DenyCause::Forbidden),
            };
            let answer = world.ask(resource);
            prop_assert_eq!(answer.effect, expected, "{}", resource);
            if failed == 0 {
                prop_assert_eq!(answer.because.into_iter().collect::<BTreeSet<_>>(), held);
            } else {
                prop_assert_eq!(answer.because.len(), failed);
            }
        }
    }
}
