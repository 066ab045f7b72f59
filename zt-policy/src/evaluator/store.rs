//! Entities and requests, compiled for one [`Evaluator`].

use std::sync::Arc;

use cedar_policy::{Context, Entities, EntityUid, Request};

use crate::evaluator::compiled::Compiled;
use crate::evaluator::facts::Facts;
use crate::evaluator::graph::{Graph, StoreError};
use crate::evaluator::program::ContextReads;
use crate::evaluator::value::{ConvertError, Value};

/// Entities compiled for one [`Evaluator`](crate::Evaluator), which makes them.
#[derive(Debug)]
pub struct Store {
    pub(super) compiled: Arc<Compiled>,
    pub(super) entities: Entities,
    graph: Graph,
}

/// A request compiled for one [`Store`], which makes them; it can be evaluated any number of times.
#[derive(Debug)]
pub struct Prepared<'s> {
    pub(super) store: &'s Store,
    pub(super) request: Request,
    pub(super) facts: Facts<'s>,
}

/// Why a request cannot be prepared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// A part of the request is unknown, which is for partial evaluation.
    #[error("the request has no {0}")]
    Unknown(&'static str),
    /// A value of the context.
    #[error("context, `{name}`: {problem}")]
    Value {
        /// The name of the attribute.
        name: String,
        /// What is wrong with its value.
        problem: ConvertError,
    },
    /// More than 2^32 texts, uids or values.
    #[error("more context than fits")]
    TooLarge,
}

impl Store {
    pub(super) fn new(compiled: &Arc<Compiled>, entities: Entities) -> Result<Self, StoreError> {
        let graph = Graph::new(compiled.symbols.clone(), &entities)?;
        Ok(Self { compiled: Arc::clone(compiled), entities, graph })
    }

    /// Compiles a request. Of the context, only what policies read is looked at.
    ///
    /// Takes a few microseconds for a context of ten attributes, above all because Cedar hands values out as copies,
    /// and those of extensions as text.
    ///
    /// # Errors
    /// If the request is not complete, or a value of the context is too deep.
    pub fn prepare(&self, request: Request) -> Result<Prepared<'_>, PrepareError> {
        let mut facts = Facts::new(&self.graph);
        let mut uid = |uid: Option<&EntityUid>, what| {
            uid.map(|uid| facts.values().convert_uid(uid)).ok_or(PrepareError::Unknown(what))
        };
        let principal = uid(request.principal(), "principal")?;
        let action = uid(request.action(), "action")?;
        let resource = uid(request.resource(), "resource")?;
        (facts.principal, facts.action, facts.resource) = (principal, action, resource);
        let context = request.context().ok_or(PrepareError::Unknown("context"))?;
        self.bind_context(context, &mut facts)?;
        if facts.is_full() {
            return Err(PrepareError::TooLarge);
        }
        Ok(Prepared { store: self, request, facts })
    }

    fn bind_context(&self, context: &Context, facts: &mut Facts<'_>) -> Result<(), PrepareError> {
        let names: Vec<String> = match &self.compiled.reads {
            ContextReads::All => context.clone().into_iter().map(|(name, _)| name).collect(),
            ContextReads::Names(names) => {
                let text = |name| self.compiled.symbols.text_of(name).map(str::to_owned);
                names.iter().filter_map(|name| text(*name)).collect()
            }
        };
        let mut fields = Vec::with_capacity(names.len());
        for name in &names {
            if let Some(value) = context.get(name) {
                let value = facts.values().convert(&value);
                let value = value.map_err(|problem| PrepareError::Value { name: name.clone(), problem })?;
                fields.push((name.as_str(), value));
            }
        }
        let context: Value = facts.values().record(fields);
        facts.bind_context(context);
        Ok(())
    }
}
