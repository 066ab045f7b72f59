//! Equality and order of values, whichever pools they are in.

use std::cmp::Ordering;

use crate::evaluator::value::{Field, Ip, Layer, Place, Pool, Span, Value};

/// The pools that values may point into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pools<'a> {
    pub(crate) policy: &'a Pool,
    pub(crate) store: &'a Pool,
    pub(crate) request: &'a Pool,
    pub(crate) scratch: &'a Pool,
}

impl<'a> Pools<'a> {
    /// One pool, for values that all point into it.
    pub(crate) const fn only(pool: &'a Pool) -> Self {
        Self { policy: pool, store: pool, request: pool, scratch: pool }
    }

    /// The elements of a set.
    pub(crate) fn elements(self, span: Span) -> &'a [Value] {
        span.of(&self.layer(span.layer).elements)
    }

    /// The fields of a record.
    pub(crate) fn fields(self, span: Span) -> &'a [Field] {
        span.of(&self.layer(span.layer).fields)
    }

    /// An address.
    pub(crate) fn ip(self, place: Place) -> Option<&'a Ip> {
        self.layer(place.layer).ips.get(usize::try_from(place.index).ok()?)
    }

    /// Whether two values are equal, as Cedar's `==` sees it: those of different types are not.
    pub(crate) fn equal(self, a: Value, b: Value) -> bool {
        a == b || (is_compound(a) && self.compare(a, b) == Ordering::Equal)
    }

    /// Whether `value` is in a set.
    pub(crate) fn contains(self, set: &[Value], value: Value) -> bool {
        set.binary_search_by(|element| self.compare(*element, value)).is_ok()
    }

    /// A total order of all values, in which the equal ones are equal; entities are together, and the first of all.
    pub(crate) fn compare(self, a: Value, b: Value) -> Ordering {
        match (a, b) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(&b),
            (Value::Long(a), Value::Long(b))
            | (Value::Decimal(a), Value::Decimal(b))
            | (Value::Datetime(a), Value::Datetime(b))
            | (Value::Duration(a), Value::Duration(b)) => a.cmp(&b),
            (Value::Text(a), Value::Text(b)) => a.cmp(&b),
            (Value::Entity(a), Value::Entity(b)) => a.cmp(&b),
            (Value::Ip(a), Value::Ip(b)) => self.ip(a).cmp(&self.ip(b)),
            (Value::Set(a), Value::Set(b)) => self.compare_sets(a, b),
            (Value::Record(a), Value::Record(b)) => self.compare_records(a, b),
            (a, b) => rank(a).cmp(&rank(b)),
        }
    }

    fn compare_sets(self, a: Span, b: Span) -> Ordering {
        let (a, b) = (self.elements(a), self.elements(b));
        let pairs = a.iter().zip(b).map(|(a, b)| self.compare(*a, *b));
        a.len().cmp(&b.len()).then_with(|| first_difference(pairs))
    }

    fn compare_records(self, a: Span, b: Span) -> Ordering {
        let (a, b) = (self.fields(a), self.fields(b));
        let pairs =
            a.iter().zip(b).map(|(a, b)| a.name.cmp(&b.name).then_with(|| self.compare(a.value, b.value)));
        a.len().cmp(&b.len()).then_with(|| first_difference(pairs))
    }

    const fn layer(self, layer: Layer) -> &'a Pool {
        match layer {
            Layer::Policy => self.policy,
            Layer::Store => self.store,
            Layer::Request => self.request,
            Layer::Scratch => self.scratch,
        }
    }
}

fn first_difference(mut pairs: impl Iterator<Item = Ordering>) -> Ordering {
    pairs.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Whether equal values of this type may lie in different places.
const fn is_compound(value: Value) -> bool {
    matches!(value, Value::Ip(_) | Value::Set(_) | Value::Record(_))
}

const fn rank(value: Value) -> u8 {
    match value {
        Value::Entity(_) => 0,
        Value::Bool(_) => 1,
        Value::Long(_) => 2,
        Value::Text(_) => 3,
        Value::Decimal(_) => 4,
        Value::Datetime(_) => 5,
        Value::Duration(_) => 6,
        Value::Ip(_) => 7,
        Value::Set(_) => 8,
        Value::Record(_) => 9,
    }
}
