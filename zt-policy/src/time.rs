//! The uses of time that can be scheduled exactly, and the instants at which they turn.
//!
//! A policy may ask for the time in four ways only, each of which turns at instants that are known beforehand:
//!
//! | in a policy | turns at |
//! |---|---|
//! | `context.now.durationSince(INSTANT) < duration("C")` | the instant + C |
//! | `context.posture.FACT.age < duration("C")` | when the fact was found + C |
//! | `context.now < datetime("C")`, `context.now < INSTANT` | the constant, the instant |
//! | `context.windows.contains("NAME")` | when the controller opens or closes the window |
//!
//! An `INSTANT` is `context.session.startedAt`, `.authenticatedAt` or `.mfa.at`. The comparison may be any of `<`,
//! `<=`, `>` and `>=`, with its sides in either order; `<=` and `>` turn a millisecond later.

use cedar_policy::pst::{BinaryOp, Expr, Literal, UnaryOp, Var};
use zt_core::decide::{FactView, SessionFacts};
use zt_core::id::FactName;
use zt_core::identity::Mfa;
use zt_core::site::Site;
use zt_core::time::Timestamp;

use crate::constants::Constants;

/// The instant that stands for a second factor that was never shown.
///
/// The year 1, not 1970: a controller whose clock starts at 1970 must not take it for a recent one.
pub(crate) const NEVER: Timestamp = Timestamp::from_millis(-62_135_596_800_000);

/// An instant of the session that policies may compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Instant {
    /// `context.session.startedAt`
    SessionStart,
    /// `context.session.authenticatedAt`
    Login,
    /// `context.session.mfa.at`
    SecondFactor,
}

impl Instant {
    pub(crate) const ALL: [Self; 3] = [Self::SessionStart, Self::Login, Self::SecondFactor];

    /// When it was.
    pub(crate) const fn of(self, facts: &SessionFacts<'_>) -> Timestamp {
        let assurance = &facts.session.assurance;
        match self {
            Self::SessionStart => facts.session.started_at,
            Self::Login => assurance.authenticated_at,
            Self::SecondFactor => match assurance.mfa {
                Mfa::At(at) => at,
                Mfa::Absent => NEVER,
            },
        }
    }
}

/// A comparison in a policy that time turns: the first instant at which it no longer reads as before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Threshold {
    /// So many milliseconds after an instant of the session.
    After(Instant, i64),
    /// When a fact has this age in milliseconds.
    Age(FactName, i64),
    /// At so many milliseconds after 1970.
    At(i64),
}

impl Threshold {
    /// When the comparison turns; `None` if it never does.
    pub(crate) fn turns_at(&self, facts: &SessionFacts<'_>) -> Option<Timestamp> {
        let (from, millis) = match self {
            Self::After(instant, millis) => (instant.of(facts), *millis),
            Self::Age(name, millis) => (found_at(name, facts)?, *millis),
            Self::At(millis) => (Timestamp::default(), *millis),
        };
        from.as_millis().checked_add(millis).map(Timestamp::from_millis)
    }

    /// Whether the comparison reads as it does after it turned.
    pub(crate) fn has_turned(&self, facts: &SessionFacts<'_>) -> bool {
        match (self.turns_at(facts), self) {
            (Some(at), _) => at <= facts.now,
            // The age of an unknown fact stands still.
            (None, Self::Age(_, millis)) => {
                FactView::AGE_UNKNOWN.as_millis() >= u128::try_from(*millis).unwrap_or(0)
            }
            // Before or after all instants that there are.
            (None, Self::After(_, millis) | Self::At(millis)) => *millis < 0,
        }
    }
}

/// When the fact that policies see was found; `None` if they see an unknown one, whose age stands still.
fn found_at(name: &FactName, facts: &SessionFacts<'_>) -> Option<Timestamp> {
    let view = facts.fact(name)?;
    if view.age == FactView::AGE_UNKNOWN {
        return None;
    }
    facts.observed_at(name)
}

/// Reads a comparison, by `<`, `<=`, `>` or `>=`, as one that time turns; `None` if it is none of those above.
pub(crate) fn threshold(
    (op, left, right): (BinaryOp, &Expr, &Expr),
    site: &Site,
    constants: &mut Constants,
) -> Option<Threshold> {
    let mut side = |expr| Side::read(expr, site, constants);
    let (clock, bound, swapped) = match (side(left), side(right)) {
        (Some(clock), Some(bound)) if clock.is_clock() => (clock, bound, false),
        (Some(bound), Some(clock)) if clock.is_clock() => (clock, bound, true),
        _ => return None,
    };
    // Where `a < b` turns, `a >= b` does; where `a <= b` turns, a millisecond later, `a > b` does.
    let later = if matches!(op, BinaryOp::Less | BinaryOp::GreaterEq) { swapped } else { !swapped };
    let edge = |millis: i64| millis.saturating_add(i64::from(later));
    match (clock, bound) {
        (Side::Since(instant), Side::Span(span)) => Some(Threshold::After(instant, edge(span))),
        (Side::Age(fact), Side::Span(span)) => Some(Threshold::Age(fact, edge(span))),
        (Side::Now, Side::Instant(instant)) => Some(Threshold::After(instant, edge(0))),
        (Side::Now, Side::Constant(millis)) => Some(Threshold::At(edge(millis))),
        _ => None,
    }
}

/// One side of a comparison.
enum Side {
    /// `context.now`
    Now,
    /// `context.now.durationSince(INSTANT)`
    Since(Instant),
    /// `context.posture.FACT.age`
    Age(FactName),
    /// An instant of the session.
    Instant(Instant),
    /// `duration("..")`, in milliseconds.
    Span(i64),
    /// `datetime("..")`, in milliseconds.
    Constant(i64),
}

impl Side {
    const fn is_clock(&self) -> bool {
        matches!(self, Self::Now | Self::Since(_) | Self::Age(_))
    }

    fn read(expr: &Expr, site: &Site, constants: &mut Constants) -> Option<Self> {
        if let Expr::UnaryOp { op, expr } = expr {
            let Expr::Literal(Literal::String(text)) = &**expr else { return None };
            return if *op == UnaryOp::Duration {
                constants.duration(text).map(Self::Span)
            } else if *op == UnaryOp::Datetime {
                constants.datetime(text).map(Self::Constant)
            } else {
                None
            };
        }
        if let Expr::BinaryOp { op: BinaryOp::DurationSince, left, right } = expr {
            let now = matches!(context_path(left).as_deref(), Some(["now"]));
            return instant(right).filter(|_| now).map(Self::Since);
        }
        match context_path(expr).as_deref() {
            Some(["now"]) => Some(Self::Now),
            Some(["posture", fact, "age"]) => {
                site.facts.get_key_value(*fact).map(|(name, _)| Self::Age(name.clone()))
            }
            Some(_) | None => instant(expr).map(Self::Instant),
        }
    }
}

fn instant(expr: &Expr) -> Option<Instant> {
    match context_path(expr).as_deref() {
        Some(["session", "startedAt"]) => Some(Instant::SessionStart),
        Some(["session", "authenticatedAt"]) => Some(Instant::Login),
        Some(["session", "mfa", "at"]) => Some(Instant::SecondFactor),
        Some(_) | None => None,
    }
}

/// The attributes that lead from `context` to `expr`; `None` if it does not start there.
pub(crate) fn context_path(expr: &Expr) -> Option<Vec<&str>> {
    match attributes(expr) {
        (Expr::Var(Var::Context), path) => Some(path),
        _ => None,
    }
}

/// What `expr` reads attributes of, and which, the outermost first.
pub(crate) fn attributes(expr: &Expr) -> (&Expr, Vec<&str>) {
    let (mut root, mut path) = (expr, Vec::new());
    while let Expr::GetAttr { expr, attr } = root {
        path.push(attr.as_str());
        root = expr;
    }
    path.reverse();
    (root, path)
}
