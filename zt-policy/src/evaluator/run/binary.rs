//! Operators and functions of two arguments.

use std::cmp::Ordering;

use crate::evaluator::graph::field;
use crate::evaluator::program::Binary;
use crate::evaluator::run::{Failed, Run};
use crate::evaluator::symbols::{TextId, Uid};
use crate::evaluator::value::Value;

impl Run<'_> {
    pub(super) fn binary(&self, op: Binary, left: Value, right: Value) -> Result<Value, Failed> {
        let truth = |value| Ok(Value::Bool(value));
        match op {
            Binary::Equal => truth(self.pools().equal(left, right)),
            Binary::NotEqual => truth(!self.pools().equal(left, right)),
            Binary::Less => truth(order(left, right)?.is_lt()),
            Binary::LessOrEqual => truth(order(left, right)?.is_le()),
            Binary::Greater => truth(order(left, right)?.is_gt()),
            Binary::GreaterOrEqual => truth(order(left, right)?.is_ge()),
            Binary::Add => calculate(left, right, i64::checked_add),
            Binary::Subtract => calculate(left, right, i64::checked_sub),
            Binary::Multiply => calculate(left, right, i64::checked_mul),
            Binary::In => self.is_in(left, right),
            Binary::Contains => {
                let Value::Set(set) = left else { return Err(Failed) };
                let pools = self.pools();
                truth(pools.contains(pools.elements(set), right))
            }
            Binary::ContainsAll | Binary::ContainsAny => {
                let (Value::Set(set), Value::Set(others)) = (left, right) else { return Err(Failed) };
                let pools = self.pools();
                let mut others = pools.elements(others).iter();
                let set = pools.elements(set);
                truth(if op == Binary::ContainsAll {
                    others.all(|other| pools.contains(set, *other))
                } else {
                    others.any(|other| pools.contains(set, *other))
                })
            }
            Binary::GetTag => self.tag(entity_and_text(left, right)?).ok_or(Failed),
            Binary::HasTag => truth(self.tag(entity_and_text(left, right)?).is_some()),
            Binary::IsInRange => truth(self.ip(left)?.is_in_range(self.ip(right)?)),
            Binary::Offset => match (left, right) {
                (Value::Datetime(at), Value::Duration(by)) => {
                    at.checked_add(by).map(Value::Datetime).ok_or(Failed)
                }
                (_, _) => Err(Failed),
            },
            Binary::DurationSince => match (left, right) {
                (Value::Datetime(at), Value::Datetime(since)) => {
                    at.checked_sub(since).map(Value::Duration).ok_or(Failed)
                }
                (_, _) => Err(Failed),
            },
            Binary::DecimalLess => truth(decimals(left, right)?.is_lt()),
            Binary::DecimalLessOrEqual => truth(decimals(left, right)?.is_le()),
            Binary::DecimalGreater => truth(decimals(left, right)?.is_gt()),
            Binary::DecimalGreaterOrEqual => truth(decimals(left, right)?.is_ge()),
        }
    }

    /// Whether an entity is another, or one of a set, or has such an ancestor.
    pub(super) fn is_in(&self, of: Value, within: Value) -> Result<Value, Failed> {
        let Value::Entity(uid) = of else { return Err(Failed) };
        match within {
            Value::Entity(ancestor) => Ok(Value::Bool(self.is_within(uid, ancestor))),
            Value::Set(set) => {
                let candidates = self.pools().elements(set);
                // Entities come first in a set, so the last says whether all are.
                if !matches!(candidates.last(), None | Some(Value::Entity(_))) {
                    return Err(Failed);
                }
                let mut candidates = candidates.iter();
                Ok(Value::Bool(candidates.any(|candidate| match candidate {
                    Value::Entity(ancestor) => self.is_within(uid, *ancestor),
                    Value::Bool(_)
                    | Value::Long(_)
                    | Value::Text(_)
                    | Value::Decimal(_)
                    | Value::Datetime(_)
                    | Value::Duration(_)
                    | Value::Ip(_)
                    | Value::Set(_)
                    | Value::Record(_) => false,
                })))
            }
            Value::Bool(_)
            | Value::Long(_)
            | Value::Text(_)
            | Value::Decimal(_)
            | Value::Datetime(_)
            | Value::Duration(_)
            | Value::Ip(_)
            | Value::Record(_) => Err(Failed),
        }
    }

    fn is_within(&self, uid: Uid, ancestor: Uid) -> bool {
        uid == ancestor || self.facts.ancestors(uid).binary_search(&ancestor).is_ok()
    }

    fn tag(&self, (uid, name): (Uid, TextId)) -> Option<Value> {
        let record = self.facts.record(uid)?;
        field(self.pools().fields(record.tags), name).map(|field| field.value)
    }
}

const fn entity_and_text(left: Value, right: Value) -> Result<(Uid, TextId), Failed> {
    match (left, right) {
        (Value::Entity(uid), Value::Text(name)) => Ok((uid, name)),
        (_, _) => Err(Failed),
    }
}

/// The order of what `<` compares: numbers, instants and spans, each with its like.
fn order(left: Value, right: Value) -> Result<Ordering, Failed> {
    match (left, right) {
        (Value::Long(a), Value::Long(b))
        | (Value::Datetime(a), Value::Datetime(b))
        | (Value::Duration(a), Value::Duration(b)) => Ok(a.cmp(&b)),
        (_, _) => Err(Failed),
    }
}

fn decimals(left: Value, right: Value) -> Result<Ordering, Failed> {
    let (Value::Decimal(a), Value::Decimal(b)) = (left, right) else { return Err(Failed) };
    Ok(a.cmp(&b))
}

fn calculate(left: Value, right: Value, by: fn(i64, i64) -> Option<i64>) -> Result<Value, Failed> {
    let (Value::Long(a), Value::Long(b)) = (left, right) else { return Err(Failed) };
    by(a, b).map(Value::Long).ok_or(Failed)
}
