//! Entities, compiled: ancestors, attributes and tags behind numbers.

use std::sync::Arc;

use cedar_policy::{Entities, EvalResult};

use crate::evaluator::symbols::{Symbols, TextId, Uid};
use crate::evaluator::value::{Builder, ConvertError, Field, Layer, Pool, Span};

/// Why entities cannot be compiled; nothing is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// An attribute or a tag.
    #[error("entity `{entity}`, `{name}`: {problem}")]
    Value {
        /// The uid of the entity.
        entity: String,
        /// The name of the attribute or tag.
        name: String,
        /// What is wrong with its value.
        problem: ConvertError,
    },
    /// An attribute or a tag without a value, which is for partial evaluation.
    #[error("entity `{entity}`, `{name}`: it has no value")]
    Unknown {
        /// The uid of the entity.
        entity: String,
        /// The name of the attribute or tag.
        name: String,
    },
    /// More than 2^32 texts, uids or values.
    #[error("more entities than fit")]
    TooLarge,
}

/// What is known of an entity that exists.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntityRecord {
    pub(crate) attributes: Span,
    pub(crate) tags: Span,
    pub(crate) ancestors: Span,
}

/// Entities behind the numbers of their uids.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) symbols: Arc<Symbols>,
    pub(crate) pool: Pool,
    /// By the number of the uid; those that do not exist are `None`.
    records: Vec<Option<EntityRecord>>,
    /// Whether comparing values takes much stack.
    pub(crate) deep: bool,
}

impl Graph {
    /// Compiles `entities`; programs lowered with `symbols` can be run on the result.
    pub(crate) fn new(symbols: Symbols, entities: &Entities) -> Result<Self, StoreError> {
        let mut builder = Builder::new(symbols, Layer::Store);
        let mut found = Vec::with_capacity(entities.len());
        for entity in entities.iter() {
            let uid = entity.uid();
            let ancestors = entities.ancestors(&uid).into_iter().flatten();
            let ancestors = ancestors.map(|ancestor| builder.convert_uid(ancestor)).collect();
            let record = EntityRecord {
                attributes: fields(&mut builder, &uid, entity.attrs())?,
                tags: fields(&mut builder, &uid, entity.tags())?,
                ancestors: builder.uids(ancestors),
            };
            found.push((builder.convert_uid(&uid), record));
        }
        if builder.is_full() {
            return Err(StoreError::TooLarge);
        }
        let mut records = vec![None; builder.symbols.entity_count()];
        for (uid, record) in found {
            let place = usize::try_from(uid.0).ok().and_then(|index| records.get_mut(index));
            *place.ok_or(StoreError::TooLarge)? = Some(record);
        }
        let Builder { symbols, pool, deep, .. } = builder;
        Ok(Self { symbols: Arc::new(symbols), pool, records, deep })
    }

    /// What is known of an entity; `None` if it does not exist.
    pub(crate) fn get(&self, uid: Uid) -> Option<&EntityRecord> {
        self.records.get(usize::try_from(uid.0).ok()?)?.as_ref()
    }
}

/// The value of a name among fields that are sorted by it.
pub(crate) fn field(fields: &[Field], name: TextId) -> Option<&Field> {
    // Most records are short, and then going through them is faster than searching.
    if fields.len() <= 8 {
        return fields.iter().find(|field| field.name == name);
    }
    fields.binary_search_by_key(&name, |field| field.name).ok().and_then(|index| fields.get(index))
}

fn fields<'a, E>(
    builder: &mut Builder,
    entity: &cedar_policy::EntityUid,
    values: impl Iterator<Item = (&'a str, Result<EvalResult, E>)>,
) -> Result<Span, StoreError> {
    let mut found = Vec::new();
    for (name, value) in values {
        let place = || (entity.to_string(), name.to_owned());
        let value = value.map_err(|_| {
            let (entity, name) = place();
            StoreError::Unknown { entity, name }
        })?;
        let value = builder.convert(&value).map_err(|problem| {
            let (entity, name) = place();
            StoreError::Value { entity, name, problem }
        })?;
        found.push(Field { name: builder.name(name), value });
    }
    Ok(builder.fields(found))
}
