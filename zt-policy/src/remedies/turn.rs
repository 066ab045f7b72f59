//! What a person can see to so that a test comes out otherwise.

use std::time::Duration;

use cedar_policy::pst::{BinaryOp, Expr, Literal, PatternElem, UnaryOp, Var};
use zt_core::decide::{Comparison, FactTest, Need};
use zt_core::device::{FactStatus, FactValue, Tier};
use zt_core::id::{FactName, WindowId};

use super::test::Reader;
use super::value::{negated, swapped};
use crate::time::{Instant, Threshold, context_path, threshold};

/// The needs of which one, any of them, makes a test come out so.
#[derive(Debug, Default)]
pub(super) struct Turns {
    pub(super) to_hold: Vec<Need>,
    pub(super) to_fail: Vec<Need>,
}

/// What turns a test; nothing if nobody can see to it.
pub(super) fn turns(expr: &Expr, reader: &mut Reader<'_>) -> Turns {
    match expr {
        Expr::GetAttr { .. } => match context_path(expr).as_deref() {
            Some(["session", "mfa", "present"]) => to_hold([Need::SecondFactor]),
            _ => comparison((expr, Comparison::Equal, &Expr::Literal(Literal::Bool(true))), reader),
        },
        Expr::BinaryOp { op: BinaryOp::Contains, left, right } => contains(left, right, reader),
        Expr::BinaryOp { op, left, right } => {
            let Some(found) = compares(*op) else { return Turns::default() };
            if let Some(threshold) = threshold((*op, left, right), reader.site, &mut reader.constants) {
                return timely(&threshold, (*op, left, right), reader);
            }
            let turns = comparison((left, found, right), reader);
            let none = turns.to_hold.is_empty() && turns.to_fail.is_empty();
            if none { comparison((right, swapped(found), left), reader) } else { turns }
        }
        Expr::Like { expr, pattern } => match field(expr, reader) {
            Some((name, "value")) => to_hold([Need::Fact { name, test: FactTest::Like(text(pattern)) }]),
            _ => Turns::default(),
        },
        Expr::Literal(_)
        | Expr::Var(_)
        | Expr::Slot(_)
        | Expr::UnaryOp { .. }
        | Expr::HasAttr { .. }
        | Expr::Is { .. }
        | Expr::IfThenElse { .. }
        | Expr::Set(_)
        | Expr::Record(_)
        | Expr::Unknown { .. }
        | _ => Turns::default(),
    }
}

fn to_hold(needs: impl IntoIterator<Item = Need>) -> Turns {
    Turns { to_hold: needs.into_iter().collect(), to_fail: Vec::new() }
}

/// A field of the session or of a fact, against a constant.
fn comparison((left, found, right): (&Expr, Comparison, &Expr), reader: &Reader<'_>) -> Turns {
    let Some(constant) = constant(right) else { return Turns::default() };
    let needs = |comparison| match (context_path(left).as_deref(), &constant) {
        (Some(["session", "acr"]), FactValue::String(acr)) if comparison == Comparison::Equal => {
            vec![Need::Acr(acr.clone())]
        }
        (Some(["session", "mfa", "present"]), FactValue::Bool(present)) => {
            let asked = *present == (comparison == Comparison::Equal);
            asked.then_some(Need::SecondFactor).into_iter().collect()
        }
        _ => field(left, reader)
            .map(|(name, field)| {
                let tests = tests((field, comparison), &constant);
                tests.into_iter().map(|test| Need::Fact { name: name.clone(), test }).collect()
            })
            .unwrap_or_default(),
    };
    Turns { to_hold: needs(found), to_fail: needs(negated(found)) }
}

/// The tests, any of which a fact has to pass so that a field compares so with a constant.
fn tests((field, comparison): (&str, Comparison), constant: &FactValue) -> Vec<FactTest> {
    match (field, comparison, constant) {
        // To become unknown or unsupported helps nobody, so nobody needs it.
        ("status", comparison, FactValue::String(word)) => [FactStatus::Pass, FactStatus::Fail]
            .into_iter()
            .filter(|status| (status.as_str() == word) == (comparison == Comparison::Equal))
            .map(FactTest::Status)
            .collect(),
        ("source", Comparison::Equal, FactValue::String(source)) => vec![FactTest::Source(source.clone())],
        ("value", Comparison::NotEqual, FactValue::Bool(value)) => {
            vec![FactTest::Value { comparison: Comparison::Equal, constant: FactValue::Bool(!value) }]
        }
        ("value", comparison, constant) => vec![FactTest::Value { comparison, constant: constant.clone() }],
        ("tier", comparison, FactValue::Long(number)) => tier(comparison, *number).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The lowest tier from which on all compare so.
fn tier(comparison: Comparison, number: i64) -> Option<FactTest> {
    let highest = Tier::ThirdParty.number();
    let least = match comparison {
        Comparison::GreaterOrEqual => number,
        Comparison::Greater => number.checked_add(1)?,
        Comparison::Equal if number == highest => number,
        Comparison::NotEqual if number == Tier::SelfAsserted.number() => number.checked_add(1)?,
        Comparison::Equal | Comparison::NotEqual | Comparison::Less | Comparison::LessOrEqual => return None,
    };
    let all =
        [Tier::SelfAsserted, Tier::DeviceSigned, Tier::TpmHeld, Tier::Quoted, Tier::ThirdParty].into_iter();
    all.into_iter().find(|tier| tier.number() >= least).map(FactTest::Tier)
}

/// A comparison that time turns: what comes before it turns, comes again with a newer instant.
fn timely(found: &Threshold, (op, left, right): (BinaryOp, &Expr, &Expr), reader: &mut Reader<'_>) -> Turns {
    let (span, holds_before) = match (span(left, reader), span(right, reader)) {
        (None, Some(span)) => (span, matches!(op, BinaryOp::Less | BinaryOp::LessEq)),
        (Some(span), None) => (span, matches!(op, BinaryOp::Greater | BinaryOp::GreaterEq)),
        _ => return Turns::default(),
    };
    let need = match found {
        Threshold::After(Instant::SecondFactor, _) => Need::SecondFactorWithin(span),
        Threshold::After(Instant::Login | Instant::SessionStart, _) => Need::LoginWithin(span),
        Threshold::Age(name, _) => Need::Fact { name: name.clone(), test: FactTest::Age(span) },
        Threshold::At(_) => return Turns::default(),
    };
    if holds_before { to_hold([need]) } else { Turns { to_hold: Vec::new(), to_fail: vec![need] } }
}

fn contains(left: &Expr, right: &Expr, reader: &Reader<'_>) -> Turns {
    match (context_path(left).as_deref(), left, right) {
        (Some(["windows"]), _, Expr::Literal(Literal::String(window))) => {
            to_hold(WindowId::new(window).ok().map(Need::Window))
        }
        (Some(["approved"]), _, Expr::Var(Var::Resource)) => {
            to_hold(reader.approvable.then_some(Need::Approval))
        }
        (None, Expr::Set(elements), right) => {
            let each = elements.iter().map(|element| comparison((right, Comparison::Equal, element), reader));
            to_hold(each.flat_map(|turns| turns.to_hold))
        }
        _ => Turns::default(),
    }
}

fn compares(op: BinaryOp) -> Option<Comparison> {
    let known = [
        (BinaryOp::Eq, Comparison::Equal),
        (BinaryOp::NotEq, Comparison::NotEqual),
        (BinaryOp::Less, Comparison::Less),
        (BinaryOp::LessEq, Comparison::LessOrEqual),
        (BinaryOp::Greater, Comparison::Greater),
        (BinaryOp::GreaterEq, Comparison::GreaterOrEqual),
    ];
    known.into_iter().find(|(known, _)| *known == op).map(|(_, comparison)| comparison)
}

/// `context.posture.FACT.FIELD`
fn field<'e>(expr: &'e Expr, reader: &Reader<'_>) -> Option<(FactName, &'e str)> {
    match context_path(expr)?.as_slice() {
        ["posture", fact, field] => {
            reader.site.facts.get_key_value(*fact).map(|(name, _)| (name.clone(), *field))
        }
        _ => None,
    }
}

fn constant(expr: &Expr) -> Option<FactValue> {
    if let Expr::UnaryOp { op: UnaryOp::Neg, expr } = expr {
        let Expr::Literal(Literal::Long(value)) = &**expr else { return None };
        return value.checked_neg().map(FactValue::Long);
    }
    let Expr::Literal(literal) = expr else { return None };
    match literal {
        Literal::Bool(value) => Some(FactValue::Bool(*value)),
        Literal::Long(value) => Some(FactValue::Long(*value)),
        Literal::String(value) => Some(FactValue::String(value.to_string())),
        Literal::EntityUID(_) | _ => None,
    }
}

/// `duration("..")`, unless it is negative.
fn span(expr: &Expr, reader: &mut Reader<'_>) -> Option<Duration> {
    let Expr::UnaryOp { op: UnaryOp::Duration, expr } = expr else { return None };
    let Expr::Literal(Literal::String(text)) = &**expr else { return None };
    reader.constants.duration(text).and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis)
}

/// A pattern, with its asterisks and backslashes escaped.
fn text(pattern: &[PatternElem]) -> String {
    let pieces = pattern.iter().flat_map(|piece| match piece {
        PatternElem::Wildcard => [None, Some('*')],
        PatternElem::Char(c) => [matches!(c, '*' | '\\').then_some('\\'), Some(*c)],
    });
    pieces.flatten().collect()
}
