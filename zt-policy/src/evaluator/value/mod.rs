//! Values as two words, and the pools that hold what does not fit.

mod builder;
mod compare;
mod convert;
mod datetime;
mod decimal;
mod duration;
mod extension;
mod ip;

pub(crate) use builder::Builder;
pub(crate) use compare::Pools;
pub use convert::ConvertError;
pub(crate) use datetime::{parse_datetime, to_date, to_time};
pub(crate) use decimal::parse_decimal;
pub(crate) use duration::parse_duration;
pub(crate) use ip::Ip;

use crate::evaluator::symbols::{TextId, Uid};

/// The most values that may lie within each other in an attribute, a tag or a context.
pub const MAX_VALUE_DEPTH: usize = 128;

/// Values within each other that can be compared on any stack.
pub(crate) const SHALLOW_VALUES: usize = 16;

/// One of Cedar's values.
///
/// Scalars are here; a set, a record or an address is where its [`Span`] or [`Place`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Bool(bool),
    Long(i64),
    Text(TextId),
    Entity(Uid),
    /// In units of 1/10,000.
    Decimal(i64),
    /// Milliseconds since 1970.
    Datetime(i64),
    /// Milliseconds.
    Duration(i64),
    Ip(Place),
    /// Elements in the order of [`Pools::compare`], each once.
    Set(Span),
    /// Fields in the order of their names, each once.
    Record(Span),
}

/// A field of a record, an attribute or a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: TextId,
    pub(crate) value: Value,
}

/// Which pool a value is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Layer {
    /// The constants of the policy that is evaluated.
    Policy,
    /// The entity store.
    Store,
    /// The request.
    Request,
    /// What the evaluation of a policy makes.
    Scratch,
}

/// Neighbours in a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    pub(crate) layer: Layer,
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    /// Nothing.
    pub(crate) const EMPTY: Self = Self { layer: Layer::Policy, start: 0, len: 0 };

    /// What this is of the list it points into; nothing if it points elsewhere.
    pub(crate) fn of<T>(self, list: &[T]) -> &[T] {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        let len = usize::try_from(self.len).unwrap_or(usize::MAX);
        list.get(start..start.saturating_add(len)).unwrap_or_default()
    }
}

/// One thing in a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) layer: Layer,
    pub(crate) index: u32,
}

/// What the values of a layer point to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool {
    pub(crate) elements: Vec<Value>,
    pub(crate) fields: Vec<Field>,
    pub(crate) ips: Vec<Ip>,
    pub(crate) uids: Vec<Uid>,
}

impl Pool {
    /// Forgets everything, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.elements.clear();
        self.fields.clear();
        self.ips.clear();
        self.uids.clear();
    }
}
