//! Cedar's values, as its public API hands them out, into ours.

use cedar_policy::{EntityUid, EvalResult};

use crate::evaluator::symbols::Uid;
use crate::evaluator::value::extension::{Extension, parse_extension};
use crate::evaluator::value::{Builder, Field, MAX_VALUE_DEPTH, SHALLOW_VALUES, Value};

/// Why a value cannot be taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// Sets and records within each other.
    #[error("more than {MAX_VALUE_DEPTH} values within each other")]
    TooDeep,
    /// An extension value in a form that Cedar was not known to write.
    #[error("`{0}` is no known form of an extension value")]
    Extension(String),
}

impl Builder {
    /// Takes over a value.
    pub(crate) fn convert(&mut self, value: &EvalResult) -> Result<Value, ConvertError> {
        self.convert_at(value, MAX_VALUE_DEPTH)
    }

    /// Takes over a uid.
    pub(crate) fn convert_uid(&mut self, uid: &EntityUid) -> Uid {
        self.symbols.cedar_uid(uid)
    }

    fn convert_at(&mut self, value: &EvalResult, room: usize) -> Result<Value, ConvertError> {
        let deeper = room.checked_sub(1).ok_or(ConvertError::TooDeep);
        self.deep |= room < MAX_VALUE_DEPTH.saturating_sub(SHALLOW_VALUES);
        match value {
            EvalResult::Bool(value) => Ok(Value::Bool(*value)),
            EvalResult::Long(value) => Ok(Value::Long(*value)),
            EvalResult::String(text) => Ok(self.text(text)),
            EvalResult::EntityUid(uid) => Ok(Value::Entity(self.convert_uid(uid))),
            EvalResult::ExtensionValue(text) => match parse_extension(text) {
                Some(Extension::Ip(ip)) => Ok(self.ip(ip)),
                Some(Extension::Decimal(units)) => Ok(Value::Decimal(units)),
                Some(Extension::Datetime(millis)) => Ok(Value::Datetime(millis)),
                Some(Extension::Duration(millis)) => Ok(Value::Duration(millis)),
                None => Err(ConvertError::Extension(text.clone())),
            },
            EvalResult::Set(elements) => {
                let room = deeper?;
                let elements = elements.iter().map(|element| self.convert_at(element, room));
                let elements = elements.collect::<Result<_, _>>()?;
                Ok(self.set(elements))
            }
            EvalResult::Record(fields) => {
                let room = deeper?;
                let mut found = Vec::with_capacity(fields.len());
                for (name, value) in fields.iter() {
                    let value = self.convert_at(value, room)?;
                    found.push(Field { name: self.name(name), value });
                }
                Ok(Value::Record(self.fields(found)))
            }
        }
    }
}
