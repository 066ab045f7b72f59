//! What a request binds: principal, action, resource and context, over a [`Graph`].

use std::sync::Arc;

use crate::evaluator::graph::{EntityRecord, Graph};
use crate::evaluator::symbols::{Symbols, Uid};
use crate::evaluator::value::{Builder, Layer, Pool, Span, Value};

/// A request over a graph: values are made with [`Facts::values`], then bound.
///
/// Until they are bound, principal, action and resource are entities that do not exist, and the context is empty.
#[derive(Debug)]
pub(crate) struct Facts<'g> {
    pub(crate) graph: &'g Graph,
    values: Builder,
    pub(crate) principal: Uid,
    pub(crate) action: Uid,
    pub(crate) resource: Uid,
    pub(crate) context: Span,
    /// An entity of the request's own, which hides one of the graph with the same uid.
    own: Option<(Uid, EntityRecord)>,
}

impl<'g> Facts<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        let mut values = Builder::new(Symbols::after(Arc::clone(&graph.symbols)), Layer::Request);
        // No type is named by the empty text, so this is no entity.
        let nobody = values.symbols.uid("", "");
        Self {
            graph,
            values,
            principal: nobody,
            action: nobody,
            resource: nobody,
            context: Span::EMPTY,
            own: None,
        }
    }

    /// Makes values for this request.
    pub(crate) fn values(&mut self) -> &mut Builder {
        &mut self.values
    }

    /// Binds a principal that the graph need not have, with a record of attributes and all its ancestors.
    pub(crate) fn bind_principal(&mut self, uid: Uid, attributes: Value, ancestors: Vec<Uid>) {
        let attributes = if let Value::Record(fields) = attributes { fields } else { Span::EMPTY };
        let ancestors = self.values.uids(ancestors);
        self.principal = uid;
        self.own = Some((uid, EntityRecord { attributes, tags: Span::EMPTY, ancestors }));
    }

    /// Binds the context; anything but a record is taken for an empty one.
    pub(crate) fn bind_context(&mut self, context: Value) {
        self.context = if let Value::Record(fields) = context { fields } else { Span::EMPTY };
    }

    /// What is known of an entity; `None` if it does not exist.
    pub(crate) fn record(&self, uid: Uid) -> Option<&EntityRecord> {
        match &self.own {
            Some((own, record)) if *own == uid => Some(record),
            Some(_) | None => self.graph.get(uid),
        }
    }

    /// The ancestors of an entity, sorted; none of one that does not exist.
    pub(crate) fn ancestors(&self, uid: Uid) -> &[Uid] {
        let Some(record) = self.record(uid) else { return &[] };
        let pool = if record.ancestors.layer == Layer::Request { self.pool() } else { &self.graph.pool };
        record.ancestors.of(&pool.uids)
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.values.pool
    }

    pub(crate) fn symbols(&self) -> &Symbols {
        &self.values.symbols
    }

    /// Whether comparing values takes much stack.
    pub(crate) fn is_deep(&self) -> bool {
        self.graph.deep || self.values.deep
    }

    /// Whether there are more values than fit; the request means nothing then.
    pub(crate) fn is_full(&self) -> bool {
        self.values.is_full()
    }
}
