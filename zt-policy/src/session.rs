//! The facts of a session as policies see them.

use zt_core::decide::{FactView, SessionFacts, Validity};
use zt_core::device::FactValue;
use zt_core::id::ResourceId;
use zt_core::identity::{AttributeValue, Mfa};
use zt_core::time::Timestamp;

use crate::evaluator::{Builder, Facts, Uid, Value};
use crate::loaded::Loaded;
use crate::person::user_id;
use crate::time::{Instant, NEVER};

/// 9999-12-31T23:59:59.999Z, the last instant that Cedar can name.
const LAST: Timestamp = Timestamp::from_millis(253_402_300_799_999);

/// Whether nothing can be decided about a session, and until when that holds; `None` if it can.
///
/// An instant of the session in the future would be taken for a very recent one: a span since then is negative, and so
/// below any bound. The other reasons are instants that Cedar cannot name, groups that the site does not declare,
/// attributes that the schema does not have, and facts declared otherwise than where the policies were loaded.
pub(crate) fn unfit_until(loaded: &Loaded, facts: &SessionFacts<'_>) -> Option<Validity> {
    let instants = || Instant::ALL.iter().map(|instant| instant.of(facts));
    let named = |at: Timestamp| (NEVER..=LAST).contains(&at);
    if !named(facts.now) || !instants().all(named) {
        return Some(Validity::Unlimited);
    }
    let declared = facts.groups().iter().all(|group| facts.site.groups.contains_key(group));
    if !declared || facts.site.facts != loaded.facts || !loaded.user_attributes.fit(facts.attributes()) {
        return Some(Validity::Unlimited);
    }
    instants().max().filter(|latest| *latest > facts.now).map(Validity::Until)
}

/// Binds what is known of a session, all but the resource.
pub(crate) fn bind<'a>(loaded: &'a Loaded, facts: &SessionFacts<'_>) -> Facts<'a> {
    let mut bound = Facts::new(&loaded.graph);
    let values = bound.values();
    let context = context(values, facts);
    let attributes = facts.attributes().iter().map(|(name, value)| (name.as_str(), attribute(values, value)));
    let attributes: Vec<_> = attributes.collect();
    let attributes = values.record(attributes);
    let groups: Vec<Uid> =
        facts.groups().iter().map(|group| values.symbols.uid("Zt::Group", group.as_str())).collect();
    let person = values.symbols.uid("Zt::User", &user_id(&facts.identity.subject));
    bound.bind_principal(person, attributes, groups);
    bound.bind_context(context);
    bound.action = loaded.connect;
    bound
}

fn context(values: &mut Builder, facts: &SessionFacts<'_>) -> Value {
    let session = session(values, facts);
    let id = values.text(facts.device.id.as_str());
    let device = values.record([("id", id)]);
    let windows = facts.open_windows.iter().map(|window| values.text(window.as_str())).collect();
    let windows = values.set(windows);
    // Resources for which no requests can be made may be of one class with others.
    let requestable = |id: &&ResourceId| {
        let resource = facts.site.resource_index(id).and_then(|index| facts.site.resource(index));
        resource.is_some_and(|resource| resource.approval.is_some())
    };
    let approved = facts.approved.iter().filter(requestable);
    let approved = approved.map(|id| values.entity("Zt::Resource", id.as_str())).collect();
    let approved = values.set(approved);
    let posture: Vec<_> = facts.posture().map(|view| (view.name.as_str(), fact(values, &view))).collect();
    let posture = values.record(posture);
    values.record([
        ("now", Value::Datetime(facts.now.as_millis())),
        ("session", session),
        ("device", device),
        ("windows", windows),
        ("approved", approved),
        ("posture", posture),
    ])
}

fn session(values: &mut Builder, facts: &SessionFacts<'_>) -> Value {
    let at = |instant: Instant| Value::Datetime(instant.of(facts).as_millis());
    let assurance = &facts.session.assurance;
    let mfa = values
        .record([("present", Value::Bool(assurance.mfa != Mfa::Absent)), ("at", at(Instant::SecondFactor))]);
    let acr = values.text(&assurance.acr);
    values.record([
        ("startedAt", at(Instant::SessionStart)),
        ("authenticatedAt", at(Instant::Login)),
        ("mfa", mfa),
        ("acr", acr),
    ])
}

fn fact(values: &mut Builder, view: &FactView<'_>) -> Value {
    let value = match &*view.value {
        FactValue::Bool(value) => Value::Bool(*value),
        FactValue::Long(value) => Value::Long(*value),
        FactValue::String(value) => values.text(value),
    };
    let (status, source) = (values.text(view.status.as_str()), values.text(view.source));
    let age = i64::try_from(view.age.as_millis()).unwrap_or(i64::MAX);
    values.record([
        ("status", status),
        ("value", value),
        ("source", source),
        ("tier", Value::Long(view.tier.number())),
        ("age", Value::Duration(age)),
    ])
}

fn attribute(values: &mut Builder, value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(value) => Value::Bool(*value),
        AttributeValue::Long(value) => Value::Long(*value),
        AttributeValue::String(value) => values.text(value),
        AttributeValue::Strings(texts) => {
            let texts = texts.iter().map(|text| values.text(text)).collect();
            values.set(texts)
        }
    }
}
