//! Makes the values of a layer.

use crate::evaluator::symbols::{Symbols, TextId, Uid};
use crate::evaluator::value::{Field, Ip, Layer, Place, Pool, Pools, Span, Value};

/// A pool that is being filled, and the numbers of the texts and uids in it.
///
/// All values that go into a set or a record must have been made here, or be scalars.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) symbols: Symbols,
    pub(crate) pool: Pool,
    layer: Layer,
    full: bool,
    /// Whether values of more than [`SHALLOW_VALUES`](super::SHALLOW_VALUES) within each other were taken over.
    pub(crate) deep: bool,
}

impl Builder {
    pub(crate) fn new(symbols: Symbols, layer: Layer) -> Self {
        Self { symbols, pool: Pool::default(), layer, full: false, deep: false }
    }

    /// Whether there is more than numbers can point to, so that values say nothing any more.
    pub(crate) fn is_full(&self) -> bool {
        self.full || self.symbols.is_full()
    }

    pub(crate) fn text(&mut self, text: &str) -> Value {
        Value::Text(self.symbols.text(text))
    }

    pub(crate) fn entity(&mut self, type_name: &str, id: &str) -> Value {
        Value::Entity(self.symbols.uid(type_name, id))
    }

    pub(crate) fn ip(&mut self, ip: Ip) -> Value {
        let index = self.count(self.pool.ips.len());
        self.pool.ips.push(ip);
        Value::Ip(Place { layer: self.layer, index })
    }

    /// A set; the elements in any order, and as often as they come.
    pub(crate) fn set(&mut self, mut elements: Vec<Value>) -> Value {
        let pools = Pools::only(&self.pool);
        elements.sort_unstable_by(|a, b| pools.compare(*a, *b));
        elements.dedup_by(|a, b| pools.equal(*a, *b));
        let span = self.span(self.pool.elements.len(), elements.len());
        self.pool.elements.append(&mut elements);
        Value::Set(span)
    }

    /// A record; the fields in any order, each name once.
    pub(crate) fn record<'n>(&mut self, fields: impl IntoIterator<Item = (&'n str, Value)>) -> Value {
        let fields = fields.into_iter().map(|(name, value)| Field { name: self.symbols.text(name), value });
        let fields = fields.collect();
        Value::Record(self.fields(fields))
    }

    /// The fields of a record, in any order, each name once.
    pub(crate) fn fields(&mut self, mut fields: Vec<Field>) -> Span {
        fields.sort_unstable_by_key(|field| field.name);
        let span = self.span(self.pool.fields.len(), fields.len());
        self.pool.fields.append(&mut fields);
        span
    }

    /// A list of uids that can be searched.
    pub(crate) fn uids(&mut self, mut uids: Vec<Uid>) -> Span {
        uids.sort_unstable();
        uids.dedup();
        let span = self.span(self.pool.uids.len(), uids.len());
        self.pool.uids.append(&mut uids);
        span
    }

    pub(crate) fn name(&mut self, name: &str) -> TextId {
        self.symbols.text(name)
    }

    fn span(&mut self, start: usize, len: usize) -> Span {
        Span { layer: self.layer, start: self.count(start), len: self.count(len) }
    }

    fn count(&mut self, count: usize) -> u32 {
        u32::try_from(count).unwrap_or_else(|_| {
            self.full = true;
            u32::MAX
        })
    }
}
