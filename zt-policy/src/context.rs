//! The facts of a session as Cedar's context.

use cedar_policy::{Context, RestrictedExpression};
use zt_core::decide::{FactView, SessionFacts};
use zt_core::device::FactValue;
use zt_core::identity::Mfa;
use zt_core::time::Timestamp;

use crate::time::Instant;

/// The context of a decision; `None` if Cedar cannot represent the facts, such as an instant after the year 9999.
pub(crate) fn context(facts: &SessionFacts<'_>) -> Option<Context> {
    let windows = facts.open_windows.iter().map(|window| text(window.as_str()));
    let posture: Option<Vec<_>> = facts.posture().map(|view| fact(&view)).collect();
    let pairs = [
        ("now", instant(facts.now)),
        ("session", session(facts)?),
        ("device", record([("id", text(facts.device.id.as_str()))])?),
        ("windows", RestrictedExpression::new_set(windows)),
        ("posture", RestrictedExpression::new_record(posture?).ok()?),
    ];
    Context::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value))).ok()
}

fn session(facts: &SessionFacts<'_>) -> Option<RestrictedExpression> {
    let assurance = &facts.session.assurance;
    let mfa = [
        ("present", RestrictedExpression::new_bool(assurance.mfa != Mfa::Absent)),
        ("at", instant(Instant::SecondFactor.of(facts))),
    ];
    record([
        ("startedAt", instant(Instant::SessionStart.of(facts))),
        ("authenticatedAt", instant(Instant::Login.of(facts))),
        ("mfa", record(mfa)?),
        ("acr", text(&assurance.acr)),
    ])
}

/// A fact, under its name.
pub(crate) fn fact(view: &FactView<'_>) -> Option<(String, RestrictedExpression)> {
    let value = match &*view.value {
        FactValue::Bool(value) => RestrictedExpression::new_bool(*value),
        FactValue::Long(value) => RestrictedExpression::new_long(*value),
        FactValue::String(value) => text(value),
    };
    let fields = [
        ("status", text(view.status.as_str())),
        ("value", value),
        ("source", text(view.source)),
        ("tier", RestrictedExpression::new_long(view.tier.number())),
        ("age", RestrictedExpression::new_duration(format!("{}ms", view.age.as_millis()))),
    ];
    Some((view.name.as_str().to_owned(), record(fields)?))
}

fn record<const N: usize>(fields: [(&str, RestrictedExpression); N]) -> Option<RestrictedExpression> {
    RestrictedExpression::new_record(fields.map(|(name, value)| (name.to_owned(), value))).ok()
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

/// As RFC 3339; what has no such form, Cedar refuses.
fn instant(at: Timestamp) -> RestrictedExpression {
    RestrictedExpression::new_datetime(at.to_string())
}
